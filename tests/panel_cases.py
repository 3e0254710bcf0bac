"""A page that holds all a report can show, for the tests of its panels and of its downloads."""

from __future__ import annotations

import dataclasses

import numpy as np
from report_cases import SEQUENCE, chain_like_positions, make_alignment, make_truth, prediction_from

from data_tools.labels import pairwise_distances
from msaformer.prediction import AttentionMaps
from msaformer.report import write_report

ATTACK = '</script><img src=x onerror="document.title=1">\u202e"=1+1'


def attention_of(length):
    probs = np.random.default_rng(1).random((3, length, length)).astype(np.float32) ** 6
    probs /= probs.sum(axis=-1, keepdims=True)
    return AttentionMaps(np.array([[0, 1], [0, 3], [11, 0]], dtype=np.int32), probs)


def write_full_page(path):
    """Two chains, one residue not resolved, hostile names: (path, prediction, truth, alignment)."""
    positions = chain_like_positions(40)
    prediction = dataclasses.replace(
        prediction_from(pairwise_distances(positions), SEQUENCE, name="<b>=cmd|'toy'"),
        chain_lengths=(25, 15),
        attention=attention_of(40),
    )
    names = ["=A"] * 25 + ["B,\"'"] * 15
    numbers = ["" if k == 11 else str(k - 5) for k in range(40)]
    truth = make_truth(positions, lost=(11,), chain_names=tuple(names), residue_numbers=tuple(numbers))
    alignment = make_alignment(rows=30)
    hostile = ("query", *(ATTACK + "z" * 100_000 for _ in range(29)))
    alignment = dataclasses.replace(alignment, names=hostile)
    write_report(prediction, path, truth=truth, alignment=alignment)
    return path, prediction, truth, alignment


def picked(page, row=0):
    """Pick a contact of the list; returns its residues, counted from 0."""
    line = page.locator("#contacts tbody tr").nth(row)
    line.click()
    return tuple(int(k) for k in line.get_attribute("data-pair").split())
