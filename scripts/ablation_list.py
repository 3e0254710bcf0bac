"""The list that `ablate.py` reads: a base configuration, and for each ablation what it changes and asks.

    base:            # a whole configuration, as `msaformer train -c` reads it
      model: {…}
    ablations:
      - {name: no-couplings, set: model.coevolution=maps, question: "Do 441 couplings a pair tell more?"}

`set` holds overrides, separated by blanks. `after: NAME` starts from the weights of another ablation, as fine-tuning
does from pre-training. `is_scored: false` trains only, for those that others start from. The base itself is the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from msaformer.config import Config
from msaformer.config_file import load_config
from msaformer.errors import ConfigError

BASE: Final = "base"
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,40}$")]


class Ablation(BaseModel):
    """One line of the list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name
    set: str = ""
    question: str
    after: _Name | None = None
    is_scored: bool = True

    @property
    def overrides(self) -> tuple[str, ...]:
        return tuple(self.set.split())


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    base: dict[str, Any]
    ablations: tuple[Ablation, ...]


class Plan:
    """The ablations, in an order in which each comes after the one it starts from, and where their runs lie."""

    def __init__(self, path: Path, folder: Path, common: Sequence[str]) -> None:
        """Read the list; `common`: overrides of all runs, the base included.

        Raises ConfigError for a file that is no list, a name that stands twice, one that is not before those that
        start from it, and a change that makes no configuration.
        """
        found = _read(path)
        self.folder = folder
        self.base_file = folder / "base.yaml"
        self.base_text = yaml.safe_dump(found.base, sort_keys=False)
        self._common = tuple(common)
        self.ablations = (
            Ablation(name=BASE, question="What all others are compared with."),
            *found.ablations,
        )
        self._check(path)

    def output(self, name: str) -> Path:
        return self.folder / name

    def overrides(self, ablation: Ablation) -> tuple[str, ...]:
        """All that a run changes in the base file."""
        place = [f"training.output={self.output(ablation.name)}"]
        if ablation.after:
            place.append(f"training.init_weights={self.output(ablation.after) / 'weights.safetensors'}")
        return (*self._common, *ablation.overrides, *place)

    def config(self, ablation: Ablation) -> Config:
        """The configuration of a run; the base file must have been written."""
        return load_config(self.base_file, self.overrides(ablation))

    def _check(self, path: Path) -> None:
        seen: set[str] = set()
        for ablation in self.ablations:
            if ablation.name in seen:
                raise ConfigError(f"{path}: the name {ablation.name!r} stands twice")
            if ablation.after is not None and ablation.after not in seen:
                raise ConfigError(
                    f"{path}: {ablation.name}: no {ablation.after!r} stands before it to start from"
                )
            seen.add(ablation.name)


def _read(path: Path) -> _List:
    try:
        return _List.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a list of ablations: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"{path}: {place}: {first['msg']}") from error
