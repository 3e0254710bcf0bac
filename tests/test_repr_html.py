"""What a notebook shows of an alignment and of a prediction."""

import base64
import html.parser
import io
import re

import matplotlib.image
import numpy as np
import pytest
from report_cases import SEQUENCE, chain_like_distances, make_alignment, prediction_from

from data_tools import alignment_html
from data_tools.alignment import Alignment
from data_tools.alignment_html import MAX_COLUMNS, MAX_ROWS, coverage_pixels
from data_tools.alphabet import GAP
from data_tools.png import png_bytes
from data_tools.weights import sequence_weights
from msaformer.metrics import top_pairs
from msaformer.prediction_html import MAX_SIDE, map_pixels

LIMIT = 60_000  # bytes, whatever is shown


class Elements(html.parser.HTMLParser):
    """Tags, attributes and text as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def picture(text):
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    return np.round(matplotlib.image.imread(io.BytesIO(base64.b64decode(data)), format="png") * 255).astype(
        int
    )


def assert_is_harmless(text):
    found = Elements(text)
    assert set(found.tags) <= {"div", "b", "img", "table", "caption", "tr", "td", "th"}
    assert {name for name, _ in found.attributes} <= {"style", "alt", "src"}
    assert all(value.startswith("data:image/png") for name, value in found.attributes if name == "src")
    assert "url(" not in text
    assert len(text.encode()) < LIMIT
    return found.text


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (5, 8)])
def test_a_picture_has_the_colours_of_its_palette(height, width):
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, size=(16, 4), dtype=np.uint8)
    palette[:, 3] |= 1  # a reader may drop the colour of what is wholly clear
    pixels = rng.integers(0, 16, size=(height, width), dtype=np.uint8)
    read = matplotlib.image.imread(io.BytesIO(png_bytes(pixels, palette)), format="png")
    assert np.array_equal(np.round(read * 255), palette[pixels])


def test_an_alignment_shows_size_neff_and_coverage():
    alignment = make_alignment(rows=30)
    shown = alignment._repr_html_()
    assert repr(alignment) == "Alignment('query', N=30, L=40)"
    text = assert_is_harmless(shown)
    neff = sequence_weights(alignment.tokens).sum()
    assert text.startswith(
        f"query · alignment: 30 sequences · 40 residues · Neff {neff:.1f} at 80 % identity"
    )
    pixels = picture(shown)
    identity = (alignment.tokens == alignment.tokens[0]).mean(axis=1)
    order = np.argsort(identity, kind="stable")
    assert np.array_equal(pixels[..., 3] == 0, alignment.tokens[order] == GAP)
    assert pixels[-1, 0].tolist() == [0xFD, 0xE7, 0x25, 255]  # the query, identical to itself


def test_a_deep_alignment_is_thinned_and_its_neff_left_to_the_caller(monkeypatch):
    tokens = np.random.default_rng(1).integers(0, 22, size=(1000, 700), dtype=np.uint8)
    tokens[0] = 3
    monkeypatch.setattr(alignment_html, "MAX_COMPARISONS", 1000)
    shown = Alignment(
        ("q", *map(str, range(999))), tokens, np.zeros(tokens.shape, dtype=np.uint16)
    )._repr_html_()
    assert "Neff: neff80(alignment.tokens)" in assert_is_harmless(shown)
    assert picture(shown).shape[:2] == (120, 480)


def test_the_rows_of_a_thinned_picture_keep_the_farthest_and_the_query():
    tokens = np.zeros((1000, 1000), dtype=np.uint8)
    for row in range(1000):
        tokens[row, :row] = 1  # ever less like the query
    pixels = coverage_pixels(tokens)
    assert pixels.shape == (120, 480)
    assert (pixels[0, 0], pixels[-1, 0]) == (0, 14)
    assert (np.diff(pixels[:, 0].astype(int)) >= 0).all()


def test_a_prediction_shows_its_identity_a_map_and_the_strongest_pairs():
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    shown = prediction._repr_html_()
    assert repr(prediction) == "Prediction('toy', L=40, N=2842, Neff=871.2)"
    text = assert_is_harmless(shown)
    assert text.startswith(
        "toy · prediction: 40 residues · 2,842 sequences · Neff 871.2 · weights msaformer-tiny"
    )
    i, j = (places[0] for places in top_pairs(prediction.contact_probs, min_separation=24))
    first = f"{SEQUENCE[i]} {i + 1}{SEQUENCE[j]} {j + 1}{prediction.contact_probs[i, j]:.2f}"
    assert first in text
    assert shown.count("<tr>") == 6
    opacity = picture(shown)[..., 3]
    np.testing.assert_allclose(opacity, prediction.contact_probs * 255, atol=8.6)


def test_a_pixel_shows_the_highest_probability_of_what_it_stands_for():
    probs = np.zeros((1000, 1000), dtype=np.float32)
    probs[777, 3] = probs[3, 777] = 1.0
    pixels = map_pixels(probs)
    assert pixels.shape == (240, 240)
    assert np.argwhere(pixels == 15).tolist() == [[0, 186], [186, 0]]
    assert np.array_equal(map_pixels(np.eye(3, dtype=np.float32)), np.eye(3) * 15)


@pytest.mark.parametrize("length", [1, 2])
def test_the_smallest_proteins_are_shown(length):
    distances = chain_like_distances(length)
    assert_is_harmless(prediction_from(distances, SEQUENCE[:length])._repr_html_())
    assert_is_harmless(make_alignment(SEQUENCE[:length], rows=1)._repr_html_())


@pytest.mark.parametrize("shape", [(MAX_ROWS, MAX_COLUMNS), (MAX_SIDE, MAX_SIDE)])
def test_pictures_of_noise_stay_small(shape):
    noise = np.random.default_rng(2).integers(0, 16, size=shape, dtype=np.uint8)
    assert len(png_bytes(noise, np.zeros((16, 4), dtype=np.uint8))) * 4 / 3 < LIMIT - 10_000


def test_names_from_outside_are_text():
    attack = '</b><script>alert(1)</script>"\u202e\x07' + "A" * 100_000
    alignment = make_alignment()
    hostile = Alignment((attack, *alignment.names[1:]), alignment.tokens, alignment.deletion_matrix)
    text = assert_is_harmless(hostile._repr_html_())
    assert text.startswith('</b><script>alert(1)</script>"��AAA')
    prediction = prediction_from(
        chain_like_distances(40), SEQUENCE, name="<img src=x onerror=alert(1)>", model={"name": attack}
    )
    text = assert_is_harmless(prediction._repr_html_())
    assert text.startswith("<img src=x onerror=alert(1)> · prediction")
    nameless = Alignment(("", *alignment.names[1:]), alignment.tokens, alignment.deletion_matrix)
    assert_is_harmless(nameless._repr_html_())
    assert len(repr(hostile)) < 100
