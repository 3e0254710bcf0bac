#!/usr/bin/env python
"""Draw the log of a training run: the curve in the model card is made with

scripts/plot_training.py runs/tiny/log.jsonl msaformer/pretrained/tiny-curve.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

SMOOTHING = 10  # records of the training loss that are averaged; single crops differ much


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("log", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    records = [json.loads(line) for line in arguments.log.read_text(encoding="utf-8").splitlines()]
    training = [record for record in records if record["kind"] == "train"]
    validation = [record for record in records if record["kind"] == "validation"]
    figure = Figure(figsize=(8, 3), layout="constrained")
    loss, precision = figure.subplots(1, 2)
    steps = np.array([record["step"] for record in training])
    values = np.array([record["contact_loss"] for record in training])
    kernel = np.ones(min(SMOOTHING, len(values))) / min(SMOOTHING, len(values))
    loss.plot(
        steps[len(kernel) - 1 :], np.convolve(values, kernel, mode="valid"), color="#0072B2", label="training"
    )
    at = [record["step"] for record in validation]
    loss.plot(
        at, [record["contact_loss"] for record in validation], "o-", color="#D55E00", label="validation"
    )
    loss.set(xlabel="step", ylabel="contact loss (nats)")
    loss.legend(frameon=False)
    for key, label in (("long_p_at_l", "P@L"), ("long_p_at_l2", "P@L/2"), ("long_p_at_l5", "P@L/5")):
        precision.plot(at, [record[key] for record in validation], "o-", label=label)
    precision.set(xlabel="step", ylabel="long-range precision, validation", ylim=(0, None))
    precision.legend(frameon=False)
    figure.savefig(arguments.picture, dpi=120)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
