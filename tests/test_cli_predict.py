"""`msaformer predict`: what it writes, keeps, refuses and lists as failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_cases import GOOD, QUERY, Terminal, files_in

from msaformer import example
from msaformer.cli import main
from msaformer.prediction import load_prediction


def test_predict_writes_three_files_a_target(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    out = tmp_path / "out"
    assert main(["predict", str(good), "-o", str(out), "--weights", str(random_weights)]) == 0
    out_text, err_text = terminal.read()
    assert out_text == f"{out / 'good.npz'}\n"
    assert err_text == ""
    assert files_in(out) == {"good.npz", "good.csv", "good.rr"}
    loaded = load_prediction(out / "good.npz")
    assert (loaded.name, loaded.sequence, loaded.depth) == ("good", QUERY, 3)
    num_pairs = len(QUERY) * (len(QUERY) - 1) // 2
    assert len((out / "good.csv").read_text().splitlines()) == num_pairs + 1
    assert (out / "good.rr").read_text().startswith("PFRMAT RR\nTARGET good\n")


def test_one_bad_input_does_not_stop_the_rest(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    bad, absent, out = tmp_path / "bad.a3m", tmp_path / "absent.a3m", tmp_path / "out"
    bad.write_text(">q\nMKV\n>a\nM\n")
    inputs = [str(bad), str(good), str(absent)]
    assert main(["predict", *inputs, "-o", str(out), "--weights", str(random_weights)]) == 3
    assert files_in(out) == {"good.npz", "good.csv", "good.rr", "failures.tsv"}
    header, *rows = (row.split("\t") for row in (out / "failures.tsv").read_text().splitlines())
    assert header == ["input", "error"]
    assert [row[0] for row in rows] == [str(bad), str(absent)]
    errors = terminal.read()[1].splitlines()
    assert errors == [f"error: {row[1]}" for row in rows]
    assert main(["predict", str(good), "-o", str(out), "--weights", str(random_weights), "--overwrite"]) == 0
    assert "failures.tsv" not in files_in(out)


def test_all_inputs_failing_is_exit_code_1(tmp_path: Path, random_weights: Path, terminal: Terminal) -> None:
    bad = tmp_path / "bad.a3m"
    bad.write_text("")
    assert main(["predict", str(bad), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]) == 1
    terminal.shows_one_error(str(bad))
    assert files_in(tmp_path / "out") == {"failures.tsv"}


def test_two_inputs_of_one_name_are_refused(tmp_path: Path, terminal: Terminal) -> None:
    out = tmp_path / "out"
    assert main(["predict", "one/x.a3m", "two/X.fasta.gz", "-o", str(out)]) == 2
    terminal.shows_one_error("one/x.a3m", "two/X.fasta.gz")
    assert not out.exists()


def test_an_alignment_of_one_sequence_works_with_a_warning(
    tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    path = tmp_path / "single.a3m"
    path.write_text(f">q\n{QUERY}\n")
    assert main(["predict", str(path), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]) == 0
    error = terminal.read()[1]
    assert error.startswith("warning: ")
    assert "co-evolution is empty" in error
    assert main(["inspect", str(path)]) == 0
    assert "co-evolution is empty" in terminal.read()[0]


def test_quiet_silences_the_warning(tmp_path: Path, random_weights: Path, terminal: Terminal) -> None:
    path = tmp_path / "single.a3m"
    path.write_text(f">q\n{QUERY}\n")
    assert (
        main(["-q", "predict", str(path), "-o", str(tmp_path / "o"), "--weights", str(random_weights)]) == 0
    )
    assert terminal.read()[1] == ""


@pytest.mark.parametrize("text", [">q\nM\n", ">q\nM\n>a\nM\n>b\n-\n"])
def test_a_query_of_one_residue_works(
    text: str, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    path, out = tmp_path / "one.a3m", tmp_path / "out"
    path.write_text(text)
    assert main(["inspect", str(path)]) == 0
    assert main(["predict", str(path), "-o", str(out), "--weights", str(random_weights)]) == 0
    assert load_prediction(out / "one.npz").contact_probs.shape == (1, 1)
    assert main(["report", str(out / "one.npz"), "--alignment", str(path), "-o", str(out / "one.html")]) == 0
    assert main(["featurize", str(path), "-o", str(tmp_path / "store")]) == 0
    assert "error" not in terminal.read()[1]


def test_a_finished_target_is_kept(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    arguments = ["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]
    assert main(arguments) == 0
    written = (tmp_path / "out" / "good.npz").stat().st_mtime_ns
    terminal.read()
    assert main(arguments) == 0
    assert "--overwrite" in terminal.read()[1]
    assert (tmp_path / "out" / "good.npz").stat().st_mtime_ns == written


def test_the_device_can_be_named_and_an_absent_one_is_a_usage_error(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    arguments = ["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]
    assert main([*arguments, "--device", "cuda"]) == 2
    terminal.shows_one_error("no cuda here", "auto")
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--device", "cpu"]) == 0


@pytest.mark.parametrize("change", ["alignment", "same-depth alignment", "weights", "max-depth", "damage"])
def test_a_target_finished_from_something_else_is_an_error(
    change: str,
    good: Path,
    tmp_path: Path,
    random_weights: Path,
    terminal: Terminal,
) -> None:
    arguments = ["predict", str(good), "-o", str(tmp_path / "out"), "--weights"]
    assert main([*arguments, str(random_weights)]) == 0
    terminal.read()
    finished, weights = tmp_path / "out" / "good.npz", random_weights
    if change == "alignment":
        good.write_text(GOOD + f">c\n{QUERY}\n")
    elif change == "same-depth alignment":
        good.write_text(f"{GOOD.strip()[:-1]}-\n")
    elif change == "max-depth":
        arguments[1:1] = ["--max-depth", "1"]
    elif change == "weights":
        weights = rewrite_weights(random_weights, tmp_path / "same-tensors.safetensors", name="other")
    else:
        finished.write_bytes(b"PK")
    before = finished.read_bytes()
    assert main([*arguments, str(weights)]) == 1
    terminal.shows_one_error(str(finished), "--overwrite")
    assert finished.read_bytes() == before


def test_samples_of_the_sequences_are_averaged_recorded_and_compared_with_what_is_kept(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    arguments = ["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]
    arguments += ["--max-depth", "2"]
    path = tmp_path / "out" / "good.npz"
    assert main([*arguments, "--ensembles", "3"]) == 0
    assert load_prediction(path).model["ensembles"] == 3
    assert main([*arguments, "--ensembles", "3"]) == 0
    assert "was kept" in terminal.read()[1]
    assert main(arguments) == 1
    terminal.shows_one_error(str(path), "another --ensembles", "--overwrite")
    assert main([*arguments[:-1], "3", "--ensembles", "3", "--overwrite"]) == 0
    assert (
        terminal.read()[1] == "warning: good: one sample holds all sequences; predicted once, not 3 times\n"
    )
    assert load_prediction(path).model["ensembles"] == 1


def test_what_was_predicted_without_co_evolution_says_so_and_is_not_taken_for_a_whole_prediction(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    arguments = ["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]
    path = tmp_path / "out" / "good.npz"
    assert main([*arguments, "--no-coevolution"]) == 0
    assert load_prediction(path).model["coevolution"] == "left out"
    assert main([*arguments, "--no-coevolution"]) == 0
    assert "was kept" in terminal.read()[1]
    assert main(arguments) == 1
    terminal.shows_one_error(str(path), "without co-evolution", "--overwrite")
    assert main([*arguments, "--overwrite"]) == 0
    assert "coevolution" not in load_prediction(path).model
    terminal.read()
    assert main([*arguments, "--no-coevolution"]) == 1
    terminal.shows_one_error(str(path), "with co-evolution", "--overwrite")


def rewrite_weights(source: Path, target: Path, **header: str) -> Path:
    """Copy a weights file with other words in its header."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(source, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        save_file(tensors, target, metadata=file.metadata() | header)
    return target


def test_weights_that_are_no_weights_are_one_line(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    whole = random_weights.read_bytes()
    for number, data in enumerate((b"", b"not weights", whole[: len(whole) // 2])):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(data)
        assert main(["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(path)]) == 1
        terminal.shows_one_error(str(path))
    absent = tmp_path / "absent.safetensors"
    assert main(["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(absent)]) == 1
    terminal.shows_one_error(str(absent))
    assert not (tmp_path / "out").exists()


def test_weights_of_another_architecture_are_one_line(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    from msaformer.pretrained import load_model

    config = load_model(random_weights).network.config
    taller = config.model_copy(update={"num_blocks": config.num_blocks + 1}).model_dump_json()
    path = rewrite_weights(random_weights, tmp_path / "other.safetensors", model=taller)
    assert main(["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(path)]) == 1
    terminal.shows_one_error(str(path), "architecture")


def test_predictions_do_not_depend_on_what_was_predicted_before(
    good: Path, tmp_path: Path, random_weights: Path
) -> None:
    weights = ["--weights", str(random_weights)]
    assert main(["predict", str(good), "-o", str(tmp_path / "a"), *weights]) == 0
    assert main(["predict", str(example.ALIGNMENT), str(good), "-o", str(tmp_path / "b"), *weights]) == 0
    first, second = (load_prediction(tmp_path / folder / "good.npz") for folder in ("a", "b"))
    assert np.array_equal(first.contact_probs, second.contact_probs)


def test_attention_is_written_on_request_and_must_be_there_to_be_kept(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    arguments = ["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]
    path = tmp_path / "out" / "good.npz"
    assert main(arguments) == 0
    plain = load_prediction(path)
    terminal.read()
    assert main([*arguments, "--attention", "0:1"]) == 1
    terminal.shows_one_error(str(path), "--attention", "--overwrite")
    assert main([*arguments, "--attention", "0:1", "--attention", "all", "--overwrite"]) == 0
    found = load_prediction(path)
    assert found.attention is not None
    assert found.attention.heads.tolist() == [[0, head] for head in range(4)]
    assert found.attention.probs.shape == (4, 40, 40)
    np.testing.assert_allclose(found.attention.probs.sum(axis=-1), 1, atol=2e-3)  # stored in half
    np.testing.assert_array_equal(found.contact_probs, plain.contact_probs)
    assert dict(found.model) == dict(plain.model)
    terminal.read()
    assert main([*arguments, "--attention", "0:2"]) == 0  # is there
    assert main(arguments) == 0
    assert terminal.read()[1].count("was kept") == 2


@pytest.mark.parametrize("head", ["7", "0:9", "first"])
def test_a_head_that_is_not_there_is_a_usage_error_before_anything_is_written(
    head: str, good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    arguments = ["predict", str(good), "-o", str(tmp_path / "out"), "--weights", str(random_weights)]
    assert main([*arguments, "--attention", head]) == 2
    terminal.shows_one_error("--attention")
    assert not (tmp_path / "out").exists()


def test_a_target_that_needs_more_memory_fails_before_it_starts_and_what_would_fit_is_told(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    options = ["-o", str(tmp_path / "out"), "--weights", str(random_weights)]
    assert main(["predict", str(good), *options, "--memory", "1MB"]) == 1
    terminal.shows_one_error(str(good), "N=3, L=40 needs", "of 1.00 MB; what fits: L ")
    assert main(["predict", str(good), *options, "--memory", "lots"]) == 2
    terminal.shows_one_error("--memory", "80GB", "'lots'")


def test_a_memory_limit_is_kept_by_smaller_tables_or_fewer_sequences_and_said(
    tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    inputs = ["predict", str(example.ALIGNMENT), "--weights", str(random_weights), "--max-depth", "400"]
    free, limited = tmp_path / "free", tmp_path / "limited"
    assert main([*inputs, "-o", str(free)]) == 0
    assert terminal.read()[1] == ""
    assert main([*inputs, "-o", str(limited), "--memory", "31MB", "--fewer-sequences"]) == 0
    told = terminal.read()[1]
    assert told.startswith("warning: dhfr: adapted to the memory: ")
    assert len(told.splitlines()) == 1
    used = load_prediction(limited / "dhfr.npz").model["sequences_used"]
    assert isinstance(used, int)
    assert 8 <= used < 400 == load_prediction(free / "dhfr.npz").model["sequences_used"]
    assert main([*inputs, "-o", str(limited), "--memory", "31MB", "--fewer-sequences"]) == 0
    assert "was kept" in terminal.read()[1]
    assert main([*inputs, "-o", str(limited)]) == 1
    terminal.shows_one_error("another --max-depth")
