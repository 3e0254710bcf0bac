"""The bundled example: dihydrofolate reductase of E. coli, an alignment and the structure 3QL0 (see README.md)."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent
ALIGNMENT: Final = FOLDER / "dhfr.a3m"
"""512 sequences, 158 residues."""
STRUCTURE: Final = FOLDER / "dhfr.pdb.gz"
"""Chain A of PDB entry 3QL0, coordinates of the protein only."""
