"""The notebooks run from start to end on the bundled protein, and are committed without what a run leaves in them."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "scripts" / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
FIGURES = {"featurize_alignments": 2, "see_predicted_contacts": 4, "train_contact_predictor": 2}
"""Cells that show one."""
TABLES = {
    "featurize_alignments": ["492.7", "coevolution", "dhfr"],
    "see_predicted_contacts": ["113", "medium_long"],
    "train_contact_predictor": [],
}
"""What each table of numbers holds, in their order."""
SHORTER = {"STEPS = 300": "STEPS = 4"}


def cells(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def run(name):
    """Run a copy; returns the outputs of all its cells."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    jupyter_client = pytest.importorskip("jupyter_client", reason="jupyter_client is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", []):
            for line, shorter in SHORTER.items():
                assert line in cell.source
                cell.source = cell.source.replace(line, shorter)
    client = nbclient.NotebookClient(
        book,
        timeout=240,
        startup_timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    )
    try:
        client.execute()
    except (
        jupyter_client.kernelspec.NoSuchKernel,
        nbclient.exceptions.DeadKernelError,
        RuntimeError,
    ) as error:
        if isinstance(error, RuntimeError) and "before replying" not in str(error):
            raise
        pytest.skip(f"no kernel starts here: {error}")
    return [output for cell in book.cells for output in cell.get("outputs", [])]


def test_there_is_one_for_each_job():
    assert sorted(FIGURES) == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_shows_its_figures_and_tables(name):
    outputs = run(name)
    shown = [output.get("data", {}) for output in outputs]
    assert sum("image/png" in data for data in shown) == FIGURES[name]
    tables = [data["text/html"] for data in shown if "dataframe" in data.get("text/html", "")]
    assert len(tables) == len(TABLES[name])
    for table, word in zip(tables, TABLES[name], strict=True):
        assert f">{word}</t" in table
    assert any("data:image/png" in data.get("text/html", "") for data in shown)
    assert not [output for output in outputs if output.get("name") == "stderr" and "Warning" in output.text]
    if name == "see_predicted_contacts":
        library, view = (data["text/html"] for data in shown if "3Dmol" in data.get("text/html", ""))
        assert len(library) > 500_000 > len(view)
        assert "viewer.addShape" in view


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_committed_as_it_was_written(name):
    for cell in cells(name):
        source = "".join(cell["source"])
        assert not re.search(r"(?<![\w.])(/(home|root|tmp|Users|work|mnt)/|[A-Z]:\\)", source)
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
        assert set(cell["metadata"]) <= {"tags"}
    first = cells(name)[0]
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")
