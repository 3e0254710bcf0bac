"""Where a training set comes from: Debian's packages, or folders and files of one's own.

| what | Debian package | licence |
|---|---|---|
| structures of 21,000 chains | promod3-data, read with python3-promod3 | Apache-2.0; PDB coordinates CC0 |
| 459,503 and more protein sequences | metastudent-data, read with ncbi-blast+ | GPL-2+; UniProt 2014_01, attribution |
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from Bio.SeqIO.FastaIO import SimpleFastaParser
from tqdm import tqdm

from data_tools.alphabet import AMINO_ACIDS
from data_tools.atomic import atomic_path
from data_tools.errors import PipelineError, StructureError, ToolNotFoundError
from data_tools.pipeline.inputs import STRUCTURE_SUFFIXES
from data_tools.search.process import run
from data_tools.structure import read_chains

METASTUDENT: Final = Path("/usr/share/metastudent-data/dataset_201401")
ONTOLOGIES: Final = ("BPO", "CCO", "MFO")  # one BLAST database of sequences each; most are in all three
PROMOD3_SCRIPT: Final = Path(__file__).with_name("promod3_structures.py")
SYSTEM_PYTHON: Final = Path("/usr/bin/python3")  # Debian's, which sees python3-promod3
MIN_SEQUENCE: Final = 25  # residues: shorter ones only cost time in a search
_SAFE: Final = re.compile(r"[^A-Za-z0-9_.-]")
_STEP_TIMEOUT_S: Final = 3600.0


def write_chains(target: Path, structures: Path | None, lengths: tuple[int, int], limit: int | None) -> None:
    """Write the chains to choose from as FASTA; their names are the ids of the families.

    Of promod3-data, or of the folder `structures` (mmCIF and PDB files; ids `FILE_CHAIN`, the residues with
    coordinates only). `lengths` are the least and the most residues, `limit` the number of chains that is enough.
    """
    if structures is None:
        arguments = ["sequences", "--min-length", str(lengths[0]), "--max-length", str(lengths[1])]
        if limit is not None:
            arguments += ["--limit", str(limit)]
        with atomic_path(target) as temporary:
            _promod3(arguments, temporary)
        return
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8") as output:
        written = 0
        for name, sequence in _chains_of_folder(structures):
            if lengths[0] <= len(sequence) <= lengths[1] and (limit is None or written < limit):
                output.write(f">{name}\n{sequence}\n")
                written += 1


def write_structures(ids: list[str], folder: Path, structures: Path | None, scratch: Path) -> dict[str, str]:
    """Put the structure of each family into `folder`; returns the path of each, relative to the folder's parent."""
    folder.mkdir(exist_ok=True)
    if structures is None:
        listed = scratch / "structures.ids"
        listed.write_text("".join(f"{name}\n" for name in ids), encoding="ascii")
        _promod3(["structures", "--ids", str(listed), str(folder)], scratch / "structures.log")
        return {name: f"{folder.name}/{name}.pdb.gz" for name in ids}
    paths = {}
    for source in structure_files(structures):
        stem = family_stem(source)
        for name in ids:
            if name.rpartition("_")[0] == stem:
                target = folder / source.name
                if not target.exists():
                    with atomic_path(target) as temporary:
                        shutil.copyfile(source, temporary)
                paths[name] = f"{folder.name}/{source.name}"
    return paths


def write_sequences(target: Path, files: list[Path], limit: int | None, scratch: Path) -> int:
    """Write the sequences to search as FASTA, each once; returns their number. No files: metastudent-data."""
    seen: set[str] = set()
    sources = (
        (_read_fasta(path) for path in files)
        if files
        else (_metastudent(name, scratch) for name in ONTOLOGIES)
    )
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8") as output:
        for name, sequence in (record for source in sources for record in source):
            if limit is not None and len(seen) >= limit:
                break
            if sequence not in seen and len(sequence) >= MIN_SEQUENCE:
                seen.add(sequence)
                output.write(f">{name}\n{sequence}\n")
    return len(seen)


def read_fasta(path: Path) -> dict[str, str]:
    """Sequences by id; raises PipelineError when two have one id."""
    sequences: dict[str, str] = {}
    for name, sequence in _read_fasta(path):
        if name in sequences:
            raise PipelineError(f"{path}: two sequences have the id {name!r}; rename one")
        sequences[name] = sequence
    return sequences


def write_fasta(sequences: Mapping[str, str], path: Path) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f">{name}\n{letters}\n" for name, letters in sequences.items()))
    return path


def structure_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.lower().endswith(STRUCTURE_SUFFIXES))


def family_stem(path: Path) -> str:
    """Name of a structure file without its suffixes, in letters that a file name can have everywhere."""
    name = path.name.removesuffix(".gz")
    return _SAFE.sub("-", name.rpartition(".")[0])


def _chains_of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    for path in tqdm(structure_files(folder), unit="structure", disable=not sys.stderr.isatty()):
        try:
            found = read_chains(path)
        except StructureError as error:
            print(f"warning: left out: {error}", file=sys.stderr)
            continue
        seen: set[str] = set()
        for chain in found:
            modelled = zip(chain.sequence, chain.residue_numbers, strict=True)
            sequence = "".join(letter for letter, number in modelled if number)
            if sequence in seen or not set(sequence) <= set(AMINO_ACIDS):
                continue
            seen.add(sequence)
            yield f"{family_stem(path)}_{_SAFE.sub('-', chain.author_name)}", sequence


def _promod3(arguments: list[str], output: Path) -> None:
    if not SYSTEM_PYTHON.exists():
        raise ToolNotFoundError(
            f"{SYSTEM_PYTHON}: there is none; on Debian: apt-get install python3-promod3 promod3-data, elsewhere give "
            "--structures DIR"
        )
    run([SYSTEM_PYTHON, PROMOD3_SCRIPT, *arguments], timeout_s=_STEP_TIMEOUT_S, stdout_path=output)


def _metastudent(ontology: str, scratch: Path) -> Iterator[tuple[str, str]]:
    """Sequences of one BLAST database, by blastdbcmd."""
    database = METASTUDENT / ontology / "goasp.fasta"
    program = shutil.which("blastdbcmd")
    if program is None or not database.with_name("goasp.fasta.psq").exists():
        raise ToolNotFoundError(
            f"{database}: not there, or no blastdbcmd to read it; on Debian: apt-get install metastudent-data "
            "ncbi-blast+, elsewhere give --sequences FILE"
        )
    fasta = scratch / f"{ontology}.fasta"
    command = [program, "-db", str(database), "-entry", "all", "-outfmt", "%f", "-out", str(fasta)]
    run(command, timeout_s=_STEP_TIMEOUT_S)
    yield from _read_fasta(fasta)
    fasta.unlink()


def _read_fasta(path: Path) -> Iterator[tuple[str, str]]:
    """Id and sequence of each record; of `sp|P12345|NAME` the accession, of `P12345|GO:1` what comes first."""
    with path.open(encoding="utf-8", errors="replace") as opened:
        for header, sequence in SimpleFastaParser(opened):
            parts = header.split(maxsplit=1)[0].split("|") if header.strip() else [""]
            name = parts[1] if parts[0] in ("sp", "tr") and len(parts) > 1 else parts[0]
            yield _SAFE.sub("-", name) or "unnamed", sequence.upper().rstrip("*")
