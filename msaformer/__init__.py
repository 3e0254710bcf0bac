"""Residue contacts and distances from protein multiple sequence alignments.

Start at `msaformer.predict` (an alignment in, a `Prediction` out), `msaformer.report` (look at it; no torch) or the
command line, `msaformer --help`. Importing this package imports nothing else.
"""

__version__ = "0.1.0"
