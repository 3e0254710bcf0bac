"""The layers of ARCHITECTURE.md: no lower level imports a higher one, and heavy packages stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Levels from the bottom up; a module may import its own level's package and those before it.
LEVELS: dict[str, list[set[str]]] = {
    "data_tools": [
        {
            "errors",
            "alphabet",
            "atomic",
            "compression",
            "read_report",
            "annotations",
            "binary_cif",
            "stop_signals",
            "folder_lock",
            "plain_text",
            "png",
        },
        {
            "alignment",
            "alignment_html",
            "weights",
            "structure",
            "structure_file",
            "backbone",
            "sequence_match",
        },
        {
            "formats",
            "filtering",
            "neff",
            "labels",
            "complex_labels",
            "orientations",
            "secondary_structure",
            "coevolution",
            "couplings",
            "pair_statistics",
        },
        {"features", "features_memory", "network_features", "search"},
        {"store", "store_rows", "store_manifest", "store_stream"},
        {"pipeline"},
    ],
    "msaformer": [
        {"errors", "example"},
        {"config", "sizes", "attention_heads"},
        {"config_file"},
        {
            "metrics",
            "prediction",
            "prediction_html",
            "device",
            "parallel",
            "calibration",
            "distance_metrics",
            "pair_scores",
            "chains",
        },
        {"data", "model", "report", "potts", "potts_shallow"},
        {"pretrained"},
        {"given", "run_identity"},
        {"training", "predict"},
        {"cli"},
        {"__main__"},
    ],
}
ALLOWED: dict[str, tuple[str, ...]] = {
    "torch": (
        *("msaformer.data", "msaformer.model", "msaformer.parallel", "msaformer.training"),
        *(
            "msaformer.predict",
            "msaformer.given",
            "msaformer.run_identity",
            "msaformer.pretrained",
            "msaformer.device",
            "msaformer.cli.env",
        ),
        "msaformer.potts",
        "msaformer.potts_shallow",
    ),
    "deepspeed": ("msaformer.training.deepspeed_engine", "msaformer.model.optional_kernels"),
    "cuequivariance_torch": ("msaformer.model.optional_kernels",),
    "py3Dmol": ("msaformer.report",),
    "matplotlib": ("msaformer.report.plots",),
    "click": ("msaformer.cli",),
    "msaformer": ("msaformer",),
    "pydantic": ("msaformer.config", "msaformer.config_file", "msaformer.pretrained"),
    "yaml": ("msaformer.config_file",),
    "numba": ("data_tools.weights", "data_tools.pair_statistics"),
    "distributed": ("data_tools.pipeline",),
    "wandb": ("msaformer.training.trackers",),
    "mlflow": ("msaformer.training.trackers",),
    "subprocess": ("data_tools.search",),
}
"""Package → the modules (and what lies in them) that may import it."""
# What reads and writes files of alignments, structures and examples: the model, its losses and engine know none of it.
FILE_FORMATS = (
    "formats",
    "structure",
    "structure_file",
    "binary_cif",
    "sequence_match",
    "labels",
    "complex_labels",
    "search",
    "pipeline",
)
KNOWS_FILE_FORMATS = ("msaformer.data", "msaformer.predict", "msaformer.report", "msaformer.cli")


def modules() -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every module of both packages."""
    for package in LEVELS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in it, those for type checkers included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write the full name"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lies_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def level_of(module: str) -> int | None:
    """Number of a module's level in its package; None for the package itself."""
    package, _, rest = module.partition(".")
    if not rest:
        return None
    child = rest.partition(".")[0]
    for number, names in enumerate(LEVELS[package]):
        if child in names:
            return number
    return None


MODULES = dict(modules())


def test_every_module_has_a_level() -> None:
    unplaced = [name for name in MODULES if "." in name and level_of(name) is None]
    assert not unplaced, f"put into LEVELS and ARCHITECTURE.md: {unplaced}"


@pytest.mark.parametrize("name", MODULES)
def test_a_lower_level_never_imports_a_higher(name: str) -> None:
    own = level_of(name)
    for imported in imports(MODULES[name]):
        if own is None or imported.partition(".")[0] != name.partition(".")[0]:
            continue
        other = level_of(imported)
        assert other is None or other <= own, f"{name} imports {imported}"


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_is_imported_only_where_it_belongs(package: str) -> None:
    for name, path in MODULES.items():
        if lies_in(name, package) or any(lies_in(name, place) for place in ALLOWED[package]):
            continue
        found = [imported for imported in imports(path) if lies_in(imported, package)]
        assert not found, f"{name} imports {found}"


def test_model_losses_and_engine_know_no_file_format() -> None:
    for name, path in MODULES.items():
        if not lies_in(name, "msaformer") or any(lies_in(name, place) for place in KNOWS_FILE_FORMATS):
            continue
        places = [f"data_tools.{module}" for module in FILE_FORMATS]
        found = [imported for imported in imports(path) if any(lies_in(imported, place) for place in places)]
        assert not found, f"{name} imports {found}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("msaformer.report", ["torch", "deepspeed", "click", "matplotlib", "py3Dmol"]),
        ("msaformer.report.sources", ["torch", "deepspeed", "click", "matplotlib"]),
        ("msaformer.cli.view", ["torch", "numpy", "pandas"]),
        ("msaformer.predict", ["deepspeed", "click"]),
        ("msaformer.cli", ["torch", "numpy", "pandas", "pydantic"]),
        ("msaformer.config", ["torch"]),
        ("data_tools.features", ["torch", "msaformer"]),
        ("data_tools.store", ["torch", "msaformer"]),
        ("data_tools.labels", ["torch", "msaformer"]),
    ],
)
def test_importing_a_module_does_not_load(module: str, absent: list[str]) -> None:
    code = f"import sys, {module}; print([name for name in {absent!r} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout.strip() == "[]"
