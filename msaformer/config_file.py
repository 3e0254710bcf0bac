"""Configuration read from YAML and overridden by `key=value`. Nothing else parses configuration.

Unknown keys are refused with the nearest name.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from msaformer.config import Config
from msaformer.errors import ConfigError


def load_config(path: Path, overrides: list[str] | tuple[str, ...] = ()) -> Config:
    """Read a YAML file and apply `section.key=value` overrides, later ones winning.

    Raises ConfigError naming file or override, key, value seen and value expected; a misspelt key gets the nearest
    real one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a configuration file: {error}") from error
    tree = _parse_yaml(text, str(path))
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path}: expected sections such as 'model:' and 'training:', not {type(tree).__name__}"
        )
    tree = {key: {} if value is None else value for key, value in tree.items()}  # a section without keys
    for override in overrides:
        _apply_override(tree, override)
    return validate_config(tree, " ".join([str(path), *(f"-o {override}" for override in overrides)]))


def validate_config(tree: dict[str, Any], source: str) -> Config:
    """Turn nested dictionaries into a Config. Raises ConfigError (see `load_config`)."""
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{source}: " + "; ".join(_explain(entry) for entry in error.errors())) from error


def dump_config(config: Config) -> str:
    """The whole configuration as YAML, defaults included."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


class _Loader(yaml.SafeLoader):
    """YAML's safe types; a key that stands twice in a mapping is an error, where YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"key {key.value!r} stands here a second time"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return super().construct_mapping(node, deep)


def _parse_yaml(text: str, source: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigError(f"{source}{place}: {problem}") from error
    except ValueError as error:  # what looks like a date and is none, e.g. 2024-13-01
        raise ConfigError(f"{source}: {error}") from error


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigError(f"-o {override}: expected section.key=value, such as training.steps=100")
    section = tree
    for depth, name in enumerate(names[:-1]):
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            raise ConfigError(f"-o {override}: {'.'.join(names[: depth + 1])} is a value, not a section")
    section[names[-1]] = _parse_yaml(text, f"-o {override}")


def _explain(entry: Any) -> str:
    """One sentence for one pydantic error."""
    place = [str(part) for part in entry["loc"]]
    key = ".".join(place)
    if entry["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {_hint(place)}"
    if entry["type"] == "value_error":  # raised by a validator of ours
        return ": ".join(filter(None, (key, str(entry["ctx"]["error"]))))  # no key: of several sections
    message = entry["msg"][0].lower() + entry["msg"][1:]
    return f"{key}: {message}, not {entry['input']!r:.80}"


def _hint(place: list[str]) -> str:
    """What may have been meant by the unknown key at `place`: the same name elsewhere, or a similar one."""
    elsewhere = [name for name in Config.model_fields if place[-1] in _known_keys([name])]
    if elsewhere:
        return f"did you mean {' or '.join(f'{name}.{place[-1]}' for name in elsewhere)}?"
    known = _known_keys(place[:-1])
    near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _known_keys(section: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for name in section:
        annotation = model.model_fields[name].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
