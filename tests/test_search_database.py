"""Search databases: what is missing, cut, mixed up or of another kind is refused with the file and the remedy."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from search_database_cases import family_a3m, make_hh, needs_hhsuite, needs_mmseqs, write_families

from data_tools.errors import DatabaseError, ToolCrashedError, ToolNotFoundError
from data_tools.search.database import (
    HHDatabase,
    MMseqsDatabase,
    SequenceDatabase,
    kind_of,
    open_database,
)
from data_tools.search.ffindex import FFReader, FFWriter
from data_tools.search.hh_database import check_a3m_entry


def refusal(prefix: Path, kind: str = "hhblits") -> str:
    with pytest.raises(DatabaseError) as raised:
        open_database(prefix, kind)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_a_whole_database_is_opened(tmp_path: Path) -> None:
    database = HHDatabase.open(make_hh(tmp_path))
    assert (database.num_entries, database.has_hhm) == (2, True)
    assert database.size_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    database.check_entries()


def test_hmms_are_optional(tmp_path: Path) -> None:
    database = HHDatabase.open(make_hh(tmp_path, hhm=False))
    assert not database.has_hhm
    database.check_entries()


@pytest.mark.parametrize("suffix", ["_a3m.ffdata", "_a3m.ffindex", "_cs219.ffdata", "_cs219.ffindex"])
def test_each_file_must_be_there(suffix: str, tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    Path(f"{prefix}{suffix}").unlink()
    assert f"{prefix}{suffix}: there is no such file; copy" in refusal(prefix)


@pytest.mark.parametrize("suffix", ["_hhm.ffdata", "_hhm.ffindex"])
def test_half_of_the_hmms_is_a_fault(suffix: str, tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    Path(f"{prefix}{suffix}").unlink()
    assert f"{prefix}{suffix}: there is no such file" in refusal(prefix)


@pytest.mark.parametrize("part", ["a3m", "cs219", "hhm"])
@pytest.mark.parametrize("ending", ["ffdata", "ffindex"])
def test_an_empty_file_is_refused(part: str, ending: str, tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    Path(f"{prefix}_{part}.{ending}").write_bytes(b"")
    assert f"{prefix}_{part}.{ending}: the file is empty" in refusal(prefix)


@pytest.mark.parametrize("part", ["a3m", "cs219", "hhm"])
def test_a_half_copied_file_is_refused_before_a_program_hangs_on_it(part: str, tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    data = Path(f"{prefix}_{part}.ffdata")
    os.truncate(data, data.stat().st_size - 1)
    message = refusal(prefix)
    assert f"{data}: the file has" in message
    assert "copied or unpacked only in part" in message


def test_parts_of_two_databases_are_not_one(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    make_hh(other, ("a", "c"))
    for file in other.glob("*_cs219*"):
        shutil.copy(file, tmp_path)
    assert "_cs219.ffindex: its keys are not those of" in refusal(prefix)
    shutil.rmtree(other)
    other.mkdir()
    make_hh(other, ("a", "b", "c"))
    for file in other.glob("*_hhm*"):
        shutil.copy(file, tmp_path)
    for file in other.glob("*_cs219*"):
        shutil.copy(file, tmp_path)
    assert "3 entries, but" in refusal(prefix) or "2 entries, but" in refusal(prefix)


def test_keys_out_of_order_are_refused(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    index = Path(f"{prefix}_a3m.ffindex")
    index.write_bytes(b"".join(reversed(index.read_bytes().splitlines(keepends=True))))
    assert f"{index}:2: the key 'a' comes after 'b'" in refusal(prefix)


def test_a_folder_is_told_from_the_prefix_in_it(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    assert f"{tmp_path} is a folder; give the prefix of the database's files in it: {prefix}" in refusal(
        tmp_path
    )
    (tmp_path / "empty").mkdir()
    assert f"(no database was found in {tmp_path / 'empty'})" in refusal(tmp_path / "empty")


def test_a_prefix_may_be_called_as_a_folder_is(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    prefix.mkdir()
    assert HHDatabase.open(prefix).num_entries == 2


def test_one_file_of_a_database_is_told_from_its_prefix(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    assert refusal(Path(f"{prefix}_cs219.ffdata")).endswith(f"begin with: {prefix}")


def test_a_wrong_prefix_shows_the_right_ones(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    message = refusal(tmp_path / "bd")
    assert message.startswith(f"{tmp_path / 'bd'}_cs219.ffdata: there is no such file")
    assert message.endswith(f": {prefix}")
    assert f"{tmp_path / 'no'}: there is no such folder" in refusal(tmp_path / "no" / "db")


@pytest.mark.parametrize(
    ("suffix", "words"),
    [("_a3m_db", "HH-suite 2"), (".cs219", "HH-suite 2"), ("_ca3m.ffdata", "compressed, hhblits crashes")],
)
def test_databases_of_other_formats_are_told(suffix: str, words: str, tmp_path: Path) -> None:
    Path(f"{tmp_path / 'db'}{suffix}").write_text("x")
    assert words in refusal(tmp_path / "db")


def test_a_folder_in_a_files_place_is_told(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    Path(f"{prefix}_a3m.ffdata").unlink()
    Path(f"{prefix}_a3m.ffdata").mkdir()
    assert "this is a folder, a file is expected" in refusal(prefix)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    Path(f"{prefix}_a3m.ffdata").chmod(0)
    assert "permission denied; check its permissions" in refusal(prefix)


def test_the_fingerprint_follows_content_and_time_but_not_the_path(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    first = HHDatabase.open(prefix).fingerprint
    assert HHDatabase.open(prefix).fingerprint == first
    moved = tmp_path / "elsewhere"
    shutil.copytree(tmp_path, moved, ignore=shutil.ignore_patterns("elsewhere"))
    assert HHDatabase.open(moved / "db").fingerprint == first
    for part in ("a3m.ffdata", "cs219.ffdata", "hhm.ffindex"):
        before = HHDatabase.open(prefix).fingerprint
        os.utime(f"{prefix}_{part}", ns=(1, 1))
        assert HHDatabase.open(prefix).fingerprint != before
    index = Path(f"{prefix}_a3m.ffindex")
    status, before = index.stat(), HHDatabase.open(prefix).fingerprint
    length = index.read_bytes().split(b"\n")[1].split(b"\t")[2]
    index.write_bytes(index.read_bytes().replace(b"\t%s\n" % length, b"\t%d\n" % (int(length) - 1), 1))
    os.utime(index, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert index.stat().st_size == status.st_size
    assert HHDatabase.open(prefix).fingerprint != before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no sequence"),
        (b"#x\n", "no sequence"),
        (b">q\nMKV\n>h\nMK\n", "rows of 2 to 3 columns"),
        (b">q\n\n", "rows of 0 to 0"),
    ],
)
def test_a_bad_alignment_in_a_database_is_found(content: bytes, words: str) -> None:
    with pytest.raises(DatabaseError, match=words):
        check_a3m_entry(content, "db_a3m.ffdata: entry 'x'")


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b">q\nMKV\n>h\nM-\nV\n", 3),
        (b"#x\n>ss_pred\nHHHHH\n>q\nMaaKV\n>h\n-aK-\n", 3),
    ],
)
def test_columns_of_an_entry_are_counted_as_hh_suite_does(content: bytes, columns: int) -> None:
    assert check_a3m_entry(content, "x") == columns


def replace_entry(prefix: Path, part: str, key: str, content: bytes) -> None:
    data, index = Path(f"{prefix}_{part}.ffdata"), Path(f"{prefix}_{part}.ffindex")
    with FFReader(data, index) as reader:
        entries = {name: reader[name] for name in reader.keys()}  # noqa: SIM118
    entries[key] = content
    data.unlink()
    index.unlink()
    with FFWriter(data, index) as writer:
        for name, text in entries.items():
            writer.add(name, text)


@pytest.mark.parametrize(
    ("part", "content", "words"),
    [
        ("hhm", b"", "_hhm.ffdata: entry 'b' is empty"),
        ("hhm", b"HHsearch 1.5\nNAME b\n" + b"x" * 4000, "entry 'b' is cut"),
        ("cs219", b"xy", "_cs219.ffdata: entry 'b' has 2 letters, the alignment 4 columns"),
        ("a3m", b">q\nMKV-\n>h\nM\n", "_a3m.ffdata: entry 'b' has rows of 1 to 4"),
    ],
)
def test_one_bad_entry_is_found_by_reading_all(part: str, content: bytes, words: str, tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    replace_entry(prefix, part, "b", content)
    database = HHDatabase.open(prefix)
    with pytest.raises(DatabaseError, match=words):
        database.check_entries()


# Building for hhblits, with the real programs


@needs_hhsuite
@pytest.mark.parametrize("hhm", [False, True])
def test_a_database_is_built_without_its_broken_inputs(hhm: bool, tmp_path: Path) -> None:
    files = write_families(tmp_path) | {"bad": tmp_path / "bad.a3m", "gone": tmp_path / "gone.a3m"}
    files["bad"].write_text(">q\nMKV\n>h\nMK\n")
    files["k" * 32] = files["fn3"]
    files["long"] = tmp_path / "long.a3m"
    files["long"].write_text(">q\n" + "MKVLAAGIC" * 2222 + "M\n")  # 19,999
    out = tmp_path / "out"
    out.mkdir()
    database, failures = HHDatabase.build(files, out / "db", hhm=hhm)
    assert set(failures) == {"bad", "gone", "long", "k" * 32}
    assert "bad.a3m:3" in failures["bad"]
    assert "no such file" in failures["gone"]
    assert "19,999 columns; HH-suite takes at most 19,998" in failures["long"]
    assert "32 bytes" in failures["k" * 32]
    assert (database.num_entries, database.has_hhm) == (2, hhm)
    database.check_entries()
    assert {file.name.partition("_")[0] for file in out.iterdir()} == {"db"}


@needs_hhsuite
def test_entries_are_plain_a3m_from_the_longest_to_the_shortest(tmp_path: Path) -> None:
    files = write_families(tmp_path)
    rows = family_a3m("fn3")
    length = len(rows.split("\n")[1])
    files["fn3"].write_text(f">ss_dssp\n{'H' * length}\n{rows}")
    HHDatabase.build(files, tmp_path / "db")
    a3m = [tmp_path / "db_a3m.ffdata", tmp_path / "db_a3m.ffindex"]
    with FFReader(*a3m) as reader:
        assert reader["fn3"].startswith(b"#fn3\n>")
        assert b"ss_dssp" not in reader["fn3"]
        assert reader["fn3"].upper() == b"#FN3\n" + rows.upper().encode()
    first = [line.split("\t")[1] for line in a3m[1].read_text().splitlines()]
    assert first[0] != "0"  # fn3 is first in the index
    assert first[1] == "0"  # globins4 is longer, so first in the data


@needs_hhsuite
def test_hhblits_searches_what_was_built(tmp_path: Path) -> None:
    files = write_families(tmp_path)
    longest = {
        "g" * 30 + "a": files["fn3"],
        "g" * 31: files["globins4"],
    }  # of keys that HH-suite can tell apart
    HHDatabase.build(longest, tmp_path / "db")
    query = tmp_path / "q.fa"
    query.write_text(">q\n" + family_a3m("globins4").split("\n")[3].replace("-", "").upper() + "\n")
    command = ["hhblits", "-i", query, "-d", tmp_path / "db", "-n", "1", "-cpu", "1", "-v", "1"]
    command += ["-o", "/dev/null", "-oa3m", tmp_path / "o.a3m"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert (tmp_path / "o.a3m").read_text().count(">") > 2


@needs_hhsuite
def test_an_existing_database_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    files = write_families(tmp_path)
    database, _ = HHDatabase.build(files, tmp_path / "db", hhm=True)
    with pytest.raises(DatabaseError, match=r"db_hhm.ffdata exists already; choose another prefix"):
        HHDatabase.build(files, tmp_path / "db")
    assert HHDatabase.open(tmp_path / "db") == database
    del files["fn3"]
    replaced, _ = HHDatabase.build(files, tmp_path / "db", overwrite=True)
    assert (replaced.num_entries, replaced.has_hhm) == (1, False)


@needs_hhsuite
def test_a_build_that_fails_leaves_nothing_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_families(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DatabaseError, match=r"none of the 1 inputs .* x: .*no such file"):
        HHDatabase.build({"x": tmp_path / "x"}, out / "db")
    with pytest.raises(DatabaseError, match="no alignment"):
        HHDatabase.build({}, out / "db")
    with pytest.raises(DatabaseError, match="there is no such folder; make it"):
        HHDatabase.build(files, out / "no" / "db")
    crashing = tmp_path / "cstranslate"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setenv("MSAFORMER_CSTRANSLATE", str(crashing))
    with pytest.raises(ToolCrashedError, match="SIGSEGV"):
        HHDatabase.build(files, out / "db")
    crashing.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(DatabaseError, match=r"_cs219.ffdata: there is no such file"):
        HHDatabase.build(files, out / "db")
    assert list(out.iterdir()) == []


@needs_hhsuite
def test_an_hmm_that_is_cut_keeps_its_alignment_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_families(tmp_path)
    real = shutil.which("hhmake")
    careless = tmp_path / "hhmake"
    careless.write_text(
        f'#!/bin/sh\nif [ "$1" = -h ]; then exec {real} -h; fi\n{real} "$@"\n'
        'if grep -q "^#fn3" "$2"; then head -c 4096 "$4" > "$4.cut"; mv "$4.cut" "$4"; fi\n'
    )
    careless.chmod(0o755)
    monkeypatch.setenv("MSAFORMER_HHMAKE", str(careless))
    database, failures = HHDatabase.build(files, tmp_path / "db", hhm=True, num_threads=2)
    assert set(failures) == {"fn3"}
    assert "is cut" in failures["fn3"]
    assert database.num_entries == 1
    database.check_entries()


@needs_hhsuite
def test_an_interrupted_build_starts_no_more_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_tools.search import hh_build

    calls = []

    def run(*_: object, **__: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        time.sleep(0.2)

    monkeypatch.setattr(hh_build, "run", run)
    (tmp_path / "a.a3m").write_text(">q\nMKV\n")
    with pytest.raises(KeyboardInterrupt):
        HHDatabase.build({f"a{n}": tmp_path / "a.a3m" for n in range(10)}, tmp_path / "db", hhm=True)
    assert len(calls) <= 3
    assert {file.name for file in tmp_path.iterdir()} == {"a.a3m"}


@needs_hhsuite
def test_the_context_library_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from data_tools.search import hh_build

    monkeypatch.setattr(hh_build, "_DATA_FOLDERS", (str(tmp_path / "nowhere"),))
    monkeypatch.setenv("HHLIB", str(tmp_path))
    with pytest.raises(ToolNotFoundError, match=r"cs219.lib .*nowhere.* install hhsuite-data, or set HHLIB"):
        hh_build.context_libraries()
    (tmp_path / "data").mkdir()
    for name in ("cs219.lib", "context_data.lib"):
        (tmp_path / "data" / name).write_text("x")
    assert hh_build.context_libraries()[0] == tmp_path / "data" / "cs219.lib"


# FASTA files for jackhmmer


def test_a_fasta_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_text(">a\nMKV\n>b\nMKV*\n")
    database = SequenceDatabase.open(path)
    assert (database.prefix, database.size_bytes, database.count()) == (path, 15, 2)
    database.check_entries()
    os.utime(path, ns=(1, 1))
    assert SequenceDatabase.open(path).fingerprint != database.fingerprint


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"MKV\n", "begins with b'MKV"),
        (gzip.compress(b">a\nMKV\n", mtime=0), "compressed with gzip; jackhmmer"),
        (b"BZh9xx", "bzip2"),
        (b"# STOCKHOLM 1.0\n", "begins with b'# STOCKHOLM"),
    ],
)
def test_what_jackhmmer_cannot_read_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_bytes(content)
    assert words in refusal(tmp_path / "x.fa", "fasta")


def test_a_missing_fasta_file_and_a_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(">a\nM\n")
    assert "there is no such file; give a FASTA" in refusal(tmp_path / "y.fa", "fasta")
    assert "is a folder; give a FASTA file in it: x.fa" in refusal(tmp_path, "fasta")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (">a\nMKV\n>b\n>c\nM\n", ":3: the record has no residues"),
        (">a\nMK1V\n", ":1: '1' in the sequence at residue 3"),
    ],
)
def test_a_bad_record_of_a_fasta_file_is_found(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(content)
    with pytest.raises(DatabaseError, match=words):
        SequenceDatabase.open(tmp_path / "x.fa").check_entries()


def test_sequences_are_gathered_without_gaps_and_once(tmp_path: Path) -> None:
    (tmp_path / "a.a3m").write_text(">ss_pred\nHHH\n>q one\nMKV\n>h\nM-aaV\n>h\nM-aaV\n>h\nMKV\n")
    (tmp_path / "b.fa.gz").write_bytes(gzip.compress(b"\r\n>long\r\n" + b"M" * 61 + b"*\r\n>\r\nW\r\n"))
    (tmp_path / "bad.fa").write_text(">x\nMK?\n")
    inputs = {name: tmp_path / name for name in ("a.a3m", "b.fa.gz", "bad.fa")}
    database, failures = SequenceDatabase.build(inputs, tmp_path / "db.fa")
    assert failures == {
        "bad.fa": f"{tmp_path}/bad.fa:1: '?' in the sequence at residue 3; sequences of a database hold letters only"
    }
    expected = f">q one\nMKV\n>h\nMAAV\n>h\nMKV\n>long\n{'M' * 60}\nM\n>unnamed_3\nW\n"
    assert database.path.read_text() == expected
    database.check_entries()


def test_sequences_of_other_formats_are_gathered(tmp_path: Path) -> None:
    (tmp_path / "a.sto").write_text("# STOCKHOLM 1.0\nq MK-V\nh M-WV\n//\n")
    database, failures = SequenceDatabase.build({"a": tmp_path / "a.sto"}, tmp_path / "db.fa")
    assert not failures
    assert database.path.read_text() == ">q\nMKV\n>h\nMWV\n"


def test_a_fasta_database_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_text(">a\nMKV\n")
    with pytest.raises(DatabaseError, match="exists already"):
        SequenceDatabase.build({"a": tmp_path / "a.fa"}, tmp_path / "a.fa")
    with pytest.raises(DatabaseError, match="none of the 1 inputs"):
        SequenceDatabase.build({"a": tmp_path / "no"}, tmp_path / "db.fa")
    assert {file.name for file in tmp_path.iterdir()} == {"a.fa"}


# MMseqs2


@pytest.fixture
def mmseqs_database(tmp_path: Path) -> Path:
    (tmp_path / "a.fa").write_text(">a\nMKVLAAGICRTWYDENQHFP\n>b\nMKVLAAGICRTWYDENQHFPA\n")
    MMseqsDatabase.build({"a": tmp_path / "a.fa"}, tmp_path / "mm")
    return tmp_path / "mm"


@needs_mmseqs
def test_an_mmseqs_database_is_built_and_opened(mmseqs_database: Path) -> None:
    database = MMseqsDatabase.open(mmseqs_database)
    assert (database.num_entries, database.kind) == (2, "amino acids")
    database.check_entries()
    assert kind_of(mmseqs_database) == "mmseqs"
    names = {file.name for file in mmseqs_database.parent.iterdir()}
    assert names == {"a.fa", "mm", *(f"mm{end}" for end in (".dbtype", ".index", ".lookup", ".source"))} | {
        "mm_h",
        "mm_h.dbtype",
        "mm_h.index",
    }


@needs_mmseqs
@pytest.mark.parametrize("suffix", ["", ".index", "_h", "_h.index", "_h.dbtype", ".dbtype"])
def test_each_file_of_mmseqs_must_be_there_and_whole(suffix: str, mmseqs_database: Path) -> None:
    file = Path(f"{mmseqs_database}{suffix}")
    content = file.read_bytes()
    file.write_bytes(content[:-2])
    message = refusal(mmseqs_database, "mmseqs")
    assert str(mmseqs_database) in message
    if suffix in ("", "_h"):
        assert "copied or unpacked only in part" in message
    file.write_bytes(b"")
    if suffix != ".dbtype":
        assert f"{file}: the file is empty" in refusal(mmseqs_database, "mmseqs")
    file.unlink()
    assert f"{file}: there is no such file" in refusal(mmseqs_database, "mmseqs")


@needs_mmseqs
def test_split_data_of_mmseqs_counts_as_one(mmseqs_database: Path) -> None:
    content = mmseqs_database.read_bytes()
    mmseqs_database.unlink()
    Path(f"{mmseqs_database}.0").write_bytes(content[:10])
    Path(f"{mmseqs_database}.1").write_bytes(content[10:])
    assert MMseqsDatabase.open(mmseqs_database).num_entries == 2
    Path(f"{mmseqs_database}.1").unlink()
    assert "only in part" in refusal(mmseqs_database, "mmseqs")


@needs_mmseqs
def test_headers_of_another_database_are_told(mmseqs_database: Path) -> None:
    index = Path(f"{mmseqs_database}_h.index")
    index.write_bytes(index.read_bytes().splitlines(keepends=True)[0])
    assert "1 headers for 2 sequences" in refusal(mmseqs_database, "mmseqs")


@needs_mmseqs
def test_an_mmseqs_database_is_not_replaced_unasked(mmseqs_database: Path) -> None:
    inputs = {"a": mmseqs_database.with_name("a.fa")}
    with pytest.raises(DatabaseError, match="exists already"):
        MMseqsDatabase.build(inputs, mmseqs_database)
    MMseqsDatabase.build(inputs, mmseqs_database, overwrite=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x01\x00\x00\x00", "nucleotides"),
        (b"\x0c\x00\x00\x00", "no type of sequences"),
        (b"\x00", "mm.dbtype: 1 bytes instead of 4"),
    ],
)
def test_an_mmseqs_database_of_another_type_is_told(content: bytes, words: str, tmp_path: Path) -> None:
    for suffix in ("", ".index", "_h", "_h.index", "_h.dbtype"):
        Path(f"{tmp_path / 'mm'}{suffix}").write_text("0\t0\t1\n")
    (tmp_path / "mm_h.dbtype").write_bytes(b"\x0c\x00\x00\x00")
    (tmp_path / "mm.dbtype").write_bytes(content)
    assert words in refusal(tmp_path / "mm", "mmseqs")


def test_what_is_no_mmseqs_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(">a\nM\n")
    assert "is a FASTA file, no database of mmseqs" in refusal(tmp_path / "x.fa", "mmseqs")
    assert "is a folder; give the prefix" in refusal(tmp_path, "mmseqs")
    assert "there is no such file" in refusal(tmp_path / "y", "mmseqs")


def test_the_kind_of_a_database_is_told_by_its_files(tmp_path: Path) -> None:
    prefix = make_hh(tmp_path)
    (tmp_path / "x.fa").write_text(">a\nM\n")
    assert (kind_of(prefix), kind_of(tmp_path / "x.fa"), kind_of(tmp_path / "no")) == (
        "hhblits",
        "fasta",
        "hhblits",
    )
    assert isinstance(open_database(prefix), HHDatabase)
    assert isinstance(open_database(tmp_path / "x.fa"), SequenceDatabase)
