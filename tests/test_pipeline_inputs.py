"""Inputs of a job: what files, folders, globs and tables stand for, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_tools.errors import PipelineError
from data_tools.pipeline.inputs import Input, collect_inputs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Alignments in two levels, among other things; the working folder is its parent."""
    root = tmp_path / "msas"
    for name in ("b.a3m", "a.sto.gz", "deep/er/c.FASTA", "notes.txt", "b.cif", ".hidden.a3m", ".git/d.a3m"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    monkeypatch.chdir(tmp_path)
    return root


def table(tmp_path: Path, text: str, name: str = "t.csv") -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


def test_a_folder_stands_for_the_alignments_at_any_depth_sorted_by_path(folder: Path) -> None:
    assert collect_inputs(["msas"]) == [
        Input("a", "msas/a.sto.gz"),
        Input("b", "msas/b.a3m"),
        Input("c", "msas/deep/er/c.FASTA"),
    ]


def test_a_glob_stands_for_the_files_that_match(folder: Path) -> None:
    assert [one.alignment for one in collect_inputs(["msas/*.a3m"])] == ["msas/b.a3m"]
    assert [one.id for one in collect_inputs(["msas/**/*.[Fs][At]*"])] == ["a", "c"]


def test_a_file_whose_name_holds_glob_letters_is_a_file(folder: Path) -> None:
    (folder / "x[1].a3m").touch()
    assert collect_inputs(["msas/x[1].a3m"]) == [Input("x[1]", "msas/x[1].a3m")]


def test_files_keep_the_order_given_and_need_not_exist_yet(folder: Path) -> None:
    assert [one.id for one in collect_inputs(["absent.a3m", "msas/b.a3m"])] == ["absent", "b"]


def test_a_link_to_a_folder_is_not_followed(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    assert len(collect_inputs([folder])) == 3


def test_structures_are_found_by_id_in_order_of_preference(folder: Path, tmp_path: Path) -> None:
    structures = tmp_path / "pdb"
    structures.mkdir()
    for name in ("a.pdb", "a.cif", "b.pdb.gz"):
        (structures / name).touch()
    found = [one.structure for one in collect_inputs(["msas"], "pdb")]
    assert found == ["pdb/a.cif", "pdb/b.pdb.gz", None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no inputs"),
        (["-"], "not standard input"),
        (["empty"], "no alignment in this folder; their names end in .a3m"),
        (["msas/*.nothing"], "no file matches"),
        (["msas", "msas/b.a3m"], "have the same id, 'b'"),
        (["a.a3m", "x/a.sto"], "a.a3m and x/a.sto have the same id, 'a'"),
        (["new\nline.a3m"], "cannot be an id"),
        (["absent.csv"], "absent.csv: cannot be read"),
    ],
)
def test_arguments_that_name_nothing_usable_are_refused(
    folder: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PipelineError, match=message):
        collect_inputs(arguments)


def test_ids_may_differ_in_case_only(tmp_path: Path) -> None:
    assert [one.id for one in collect_inputs(["1abc_A.a3m", "1abc_a.a3m"])] == ["1abc_A", "1abc_a"]


def test_paths_of_a_table_are_relative_to_it_and_other_columns_left_alone(tmp_path: Path) -> None:
    text = '\ufeffchain,id,note,alignment,structure\nA,one,"x, y",a/1.a3m,s/1.cif\n,two,,/abs/2.sto,\n\n'
    assert collect_inputs([table(tmp_path, text)]) == [
        Input("one", str(tmp_path / "a/1.a3m"), str(tmp_path / "s/1.cif"), "A"),
        Input("two", "/abs/2.sto"),
    ]
    tabs = table(tmp_path, "id\talignment\nthree\t3,3.a3m\n", "t.TSV")
    assert collect_inputs([tabs]) == [Input("three", str(tmp_path / "3,3.a3m"))]


def test_one_alignment_may_serve_several_ids_of_a_table(tmp_path: Path) -> None:
    path = table(tmp_path, "id,alignment\nx,same.a3m\ny,same.a3m\n")
    assert [one.id for one in collect_inputs([path])] == ["x", "y"]


def test_the_structure_of_a_table_goes_before_the_folder_of_structures(tmp_path: Path) -> None:
    (tmp_path / "x.cif").touch()
    (tmp_path / "y.cif").touch()
    path = table(tmp_path, "id,alignment,structure\nx,x.a3m,own.pdb\ny,y.a3m,\n")
    own, found = collect_inputs([path], tmp_path)
    assert (own.structure, found.structure) == (str(tmp_path / "own.pdb"), str(tmp_path / "y.cif"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t\.csv:1: no column 'id' and 'alignment'; .* it names nothing"),
        ("id,msa\nx,y\n", r"t\.csv:1: no column 'alignment'; .* it names id, msa"),
        ("id,alignment,Structure\n", r"t\.csv:1: column 'Structure': write it 'structure', and once"),
        ("id,alignment,chain,chain\n", "column 'chain': write it 'chain', and once"),
        ("id,alignment\n", "no inputs, only a header"),
        ("id,alignment\nx\n", r"t\.csv:2: 1 fields, the header has 2"),
        ("id,alignment\n\nx,y,z\n", r"t\.csv:3: 3 fields, the header has 2"),
        ("id,alignment\nx,\n", r"t\.csv:2: 'x' has no alignment"),
        ("id,alignment\n,y\n", r"t\.csv:2: '' cannot be an id"),
        ("id,alignment\n x,y\n", r"t\.csv:2: ' x' cannot be an id"),
        ('id,alignment\n"x\ty",y\n', r"t\.csv:2: 'x\\ty' cannot be an id"),
        ("id,alignment\nx,a\ny,b\nx,c\n", r"t\.csv:4: the id 'x' stands in line 2 already"),
        ("id,alignment,structure,chain\nx,a,,A\n", r"t\.csv:2: 'x' has a chain, 'A', but no structure"),
        ('id,alignment\n"x"y,a\n', "no table in UTF-8"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        collect_inputs([table(tmp_path, text)])


def test_a_table_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"id,alignment\n\xe5,a\n")
    with pytest.raises(PipelineError, match="no table in UTF-8"):
        collect_inputs([tmp_path / "t.csv"])


def test_a_folder_that_cannot_be_searched_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PipelineError, match="msas: cannot be searched: Permission denied"):
        collect_inputs(["msas"])
