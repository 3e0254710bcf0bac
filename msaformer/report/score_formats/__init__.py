"""Scores of residue pairs as other programs write them; `msaformer.report.score_files` says which file is which.

| format | module | numbering | score |
|---|---|---|---|
| CASP RR, modes 1, 2; PSICOV, DeepMetaPSICOV, DeepCov; `i j p` | `casp_rr` | from 1 | the last column, mode 2: third |
| plmc; freecontact (EVfold-mfDCA) | `coupling_rows` | as the alignment's query, mostly from 1 | corrected norm |
| EVcouplings, GREMLIN, our CSV | `named_columns` | from 1, EVcouplings as its query | `cn`, `s_sco`, `prob` |
| CCMpred | `score_matrix` | by place | the cell |
| trRosetta, this package | `distance_arrays` | by place | p(d < 8 Å) |

No program counts from 0, and no number is shifted unless the caller says so.
"""
