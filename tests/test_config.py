"""Configuration: what is read, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from msaformer.cli import main
from msaformer.config import Config
from msaformer.config_file import dump_config, load_config
from msaformer.errors import ConfigError

FOLDER = Path(__file__).parents[1] / "configs"
CONFIGS = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "ablations")  # that is a list of them


def load(text: str, tmp_path: Path, *overrides: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_config(path, overrides)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_file_in_configs_loads_and_names_itself(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_the_ladder_has_its_first_rungs() -> None:
    assert {"overfit", "tiny"} <= {path.stem for path in CONFIGS}


def test_fine_tuning_goes_on_from_pre_training_which_asks_for_no_labels() -> None:
    pretrain, finetune = (
        load_config(CONFIGS[0].with_name(f"{name}.yaml")) for name in ("pretrain", "finetune")
    )
    assert finetune.training.init_weights == pretrain.training.output / "weights.safetensors"
    assert finetune.model == pretrain.model
    assert pretrain.loss.contact == pretrain.loss.distogram == pretrain.loss.orientation == 0
    assert pretrain.data.validation is None


def test_the_stages_of_the_small_model_have_one_trunk_but_for_what_it_grows_by() -> None:
    pretrain, first, second, small, finetune = (
        load_config(FOLDER / f"{name}.yaml")
        for name in ("small-pretrain", "small-first", "small-second", "small", "finetune-released")
    )
    assert pretrain.model == first.model == small.model.model_copy(update={"triangles": "multiplication"})
    assert small.model.triangles == "both"
    assert second.model == small.model == finetune.model
    assert (
        len({stage.training.seed for stage in (first, second, small)}) == 3
    )  # else each would see the same crops
    assert finetune.loss == small.loss
    assert pretrain.loss.contact == pretrain.loss.distogram == pretrain.loss.orientation == 0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_print_config_prints_what_can_be_loaded_again(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "-c", str(path), "--print-config", "-o", "training.steps=77"]) == 0
    printed = load(capsys.readouterr().out, tmp_path)
    assert printed == load_config(path, ["training.steps=77"])
    assert printed.training.steps == 77


@pytest.mark.parametrize(
    "text", ["", "# nothing but a comment\n", "training:\n  # all commented out\n", "---\n"]
)
def test_an_empty_file_or_section_has_the_defaults(text: str, tmp_path: Path) -> None:
    assert load(text, tmp_path) == Config()


@pytest.mark.parametrize("written", ["3e-4", "3.0e-4", "0.0003", "3E-4"])
def test_scientific_notation_is_a_number(written: str, tmp_path: Path) -> None:
    assert load(f"optimizer: {{learning_rate: {written}}}", tmp_path).optimizer.learning_rate == 3e-4
    assert load("", tmp_path, f"optimizer.learning_rate={written}").optimizer.learning_rate == 3e-4


def test_overrides_are_read_as_yaml_and_the_last_one_wins(tmp_path: Path) -> None:
    config = load(
        "training: {steps: 5}\ndata: {validation: store}\n",
        tmp_path,
        *("training.steps=6", "training.steps=7", "data.validation=", "model.tied_rows=true"),
        *("name=mine", "optimizer.betas=[0.8, 0.95]", "training.output=runs/a=b"),
    )
    assert config.training.steps == 7
    assert config.data.validation is None
    assert config.model.tied_rows is True
    assert config.name == "mine"
    assert config.optimizer.betas == (0.8, 0.95)
    assert config.training.output == Path("runs/a=b")


def test_an_override_fills_a_section_left_empty(tmp_path: Path) -> None:
    assert load("training:\n", tmp_path, "training.steps=6").training.steps == 6


WRONG: dict[str, tuple[str, str]] = {
    "unknown key": (
        "model: {num_blockz: 2}",
        r"unknown key 'model\.num_blockz'; did you mean 'num_blocks'\?",
    ),
    "unknown section": ("modle: {num_blocks: 2}", r"unknown key 'modle'; did you mean 'model'\?"),
    "key of another section": ("training: {learning_rate: 1}", r"did you mean optimizer\.learning_rate\?"),
    "key of two sections": (
        "training: {max_depth: 1}",
        r"did you mean model\.max_depth or data\.max_depth\?",
    ),
    "key like no other": ("loss: {zzz: 1}", "known: contact, distogram, masked_msa, orientation"),
    "word for a number": (
        "model: {num_blocks: fast}",
        r"model\.num_blocks: input should be a valid integer.*'fast'",
    ),
    "fraction for a count": ("model: {num_blocks: 2.5}", r"model\.num_blocks: .*integer.*not 2\.5"),
    "yes for a count": ("training: {steps: yes}", r"training\.steps: expected a number, not True"),
    "yes for a number": ("optimizer: {learning_rate: on}", r"learning_rate: expected a number, not True"),
    "out of range": ("training: {steps: 0}", r"training\.steps: .*greater than or equal to 1, not 0"),
    "not finite": ("optimizer: {learning_rate: .inf}", r"learning_rate: .*finite number, not inf"),
    "not a number": ("loss: {contact: .nan}", r"loss\.contact: .*finite number, not nan"),
    "beta of 1": ("optimizer: {betas: [0.9, 1.0]}", r"optimizer\.betas\.1: .*less than 1, not 1\.0"),
    "three betas": ("optimizer: {betas: [0.9, 0.9, 0.9]}", r"optimizer\.betas: .*at most 2 items"),
    "unknown choice": ("training: {device: gpu}", r"'auto', 'cpu', 'cuda' or 'mps', not 'gpu'"),
    "a name no file can have": ("name: a/b", r"name: .*\^\[A-Za-z0-9_\.-\]\{1,64\}\$', not 'a/b'"),
    "a value for a section": ("model: 3", r"model: .*, not 3"),
    "depths in the wrong order": (
        "data: {min_depth: 9, max_depth: 4}",
        r"data: min_depth 9 is above max_depth 4",
    ),
    "nothing to learn": (
        "loss: {contact: 0, distogram: 0, masked_msa: 0}",
        r"loss: contact, distogram, masked_msa and orientation are all 0",
    ),
    "orientations without their heads": (
        "loss: {orientation: 0.5}",
        r"config\.yaml: loss\.orientation 0\.5 needs model\.orientations true",
    ),
    "seed too large": ("training: {seed: 99999999999999999999}", r"training\.seed: .*less than 4294967296"),
    "two faults": ("training: {steps: 0, stepz: 1}", r"training\.steps: .*; unknown key 'training\.stepz'"),
    "a list": ("- 1\n- 2\n", "expected sections such as 'model:' and 'training:', not list"),
    "bad YAML": ("model:\n  c_m: 8\n c_z: 4\n", r"config\.yaml:3: "),
    "unclosed bracket": ("model: [1,\n", r"config\.yaml:\d: "),
    "a tab": ("model:\n\tc_m: 8\n", r"config\.yaml:2: .*'\\t'"),
    "a control character": ("name: a\x00b\n", r"config\.yaml: "),
    "an object": (
        "name: !!python/object:os.system {}\n",
        r"config\.yaml:1: could not determine a constructor",
    ),
    "a key that stands twice": (
        "data: {}\nloss: {}\ndata: {}\n",
        r"config\.yaml:3: key 'data' stands here a second",
    ),
    "a date that is none": ("name: 2024-13-45\n", r"config\.yaml: month must be in"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_one_line_that_names_file_key_and_remedy(case: str, tmp_path: Path) -> None:
    text, words = WRONG[case]
    with pytest.raises(ConfigError, match=words) as error:
        load(text, tmp_path)
    assert str(error.value).startswith(str(tmp_path / "config.yaml"))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training", "-o training: expected section.key=value, such as training.steps=100"),
        ("=3", "expected section.key=value"),
        ("training.=3", "expected section.key=value"),
        ("name.first=3", "-o name.first=3: name is a value, not a section"),
        ("training.stepz=3", r"-o training\.stepz=3: unknown key 'training\.stepz'; did you mean 'steps'\?"),
        ("training.steps=", r"training\.steps: .*, not None"),
        ("training.steps=[1", r"-o training\.steps=\[1:1: "),
        ("training.steps=2024-13-45", r"-o training\.steps=2024-13-45: month must be"),
        ("training.steps.x=3", r"training\.steps: .*not \{'x': 3\}"),
    ],
)
def test_a_wrong_override_is_one_line_that_names_it(override: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        load("name: tiny\n", tmp_path, override)
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read"):
        load_config(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.yaml: cannot be read"):
        load_config(tmp_path / "binary.yaml")


def test_dumped_defaults_load_as_defaults(tmp_path: Path) -> None:
    assert load(dump_config(Config()), tmp_path) == Config()


def test_every_key_says_what_it_means() -> None:
    for section in Config.model_fields.values():
        fields = getattr(section.annotation, "model_fields", {})
        assert all(field.description for field in fields.values())
