"""The small picture of a contact map: its pixels, read by matplotlib, against the obvious loop."""

from __future__ import annotations

import io
import itertools

import matplotlib.image
import numpy as np
import pytest

from msaformer.report.thumbnail import contact_thumbnail


def decoded(png: bytes) -> np.ndarray:
    return np.round(matplotlib.image.imread(io.BytesIO(png), format="png")[..., :3] * 255).astype(int)


@pytest.mark.parametrize(("length", "side"), [(1, 1), (7, 7), (96, 96), (97, 96), (250, 96)])
def test_a_pixel_is_as_dark_as_its_most_probable_pair(length: int, side: int) -> None:
    rng = np.random.default_rng(length)
    upper = np.triu(rng.random((length, length)) ** 8, k=1)
    probs = (upper + upper.T).astype(np.float32)
    picture = decoded(contact_thumbnail(probs))
    assert picture.shape == (side, side, 3)
    edges = [k * length // side for k in range(side + 1)]
    spans = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
    best = np.array([[probs[rows, columns].max() for columns in spans] for rows in spans]).ravel()
    brightness = picture.sum(-1).ravel()
    assert (np.diff(brightness[np.argsort(best)]) <= 0).all()


def test_certain_contacts_are_dark_blue_and_impossible_ones_nearly_white() -> None:
    picture = decoded(contact_thumbnail(np.array([[0, 1], [1, 0]], dtype=np.float32)))
    assert picture[0, 1].tolist() == [0x08, 0x30, 0x6B]
    assert picture[0, 0].tolist() == [0xF7, 0xFB, 0xFF]


def test_a_thumbnail_is_small() -> None:
    noise = np.random.default_rng(0).random((500, 500)).astype(np.float32) ** 30
    assert len(contact_thumbnail(noise + noise.T)) < 6_000
