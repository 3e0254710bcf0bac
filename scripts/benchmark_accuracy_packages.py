"""Published networks with the weights that their own packages on PyPI ship, as methods of `benchmark_accuracy.py`.

    pip install --no-deps tr-rosetta-pytorch==0.0.3       trRosetta: five networks of model2019_07, MIT
    pip install --no-deps deepcon==0.4.0 h5py             DEEPCON, covariance variant, MIT

Neither is a dependency of this project: a package that is missing is said on stderr and its method left out.
trRosetta (Yang et al. 2020, doi 10.1073/pnas.1914677117) runs by its package's own code. DEEPCON (Adhikari 2020,
doi 10.1093/bioinformatics/btz593) asks for a Keras of 2019; here its network is built in torch and given the package's
weights, and its covariance, which the package computes in Python loops, is one matrix product.
N sequences, L residues.
"""

from __future__ import annotations

import importlib.util
import io
import tarfile
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from benchmark_accuracy_methods import NETWORK, Figures, Method, precision_figures
from benchmark_accuracy_targets import Target
from torch import Tensor, nn

from data_tools.alphabet import decode
from msaformer.report.score_formats.distance_arrays import BINS_BELOW_8_ANGSTROM

MAX_ROWS: Final = 3000  # both packages compare all pairs of sequences; the first ones of an alignment
NUM_NETWORKS: Final = 5  # that trRosetta averages

DEEPCON_LETTERS: Final = "ARNDCQEGHILKMFPSTWYV-"
"""States 0 to 20 of its covariance; other letters belong to none."""
_ALIKE_DIFFERENCES: Final = 0.38  # of L; sequences with fewer weigh as one (DeepCov, cov21stats.c)
_BLOCKS, _WIDTH, _DILATIONS = 32, 64, (1, 2, 4)  # the published network
_KERAS_EPSILON: Final = 1e-3  # of Keras' batch normalisation


def trrosetta(num_networks: int) -> Method:
    """The mean of the first `num_networks` of five; raises ModuleNotFoundError when the package is not installed."""
    folder = _package_folder("tr_rosetta_pytorch", "tr-rosetta-pytorch")
    name = "trrosetta" if num_networks == NUM_NETWORKS else f"trrosetta-x{num_networks}"
    settings = f"tr-rosetta-pytorch, {num_networks} networks, first {MAX_ROWS} rows"
    note = (
        f"{num_networks} of its five networks, on the first {MAX_ROWS:,} sequences; trained on the PDB of 2018, so "
        "probably on these proteins or their relatives"
    )
    return Method(
        name, NETWORK, partial(_measure_trrosetta, _trrosetta_networks(folder, num_networks)), settings, note
    )


def deepcon() -> Method:
    """DEEPCON on covariances; raises ModuleNotFoundError when deepcon or h5py is not installed."""
    folder = _package_folder("deepcon", "deepcon")
    _package_folder("h5py", "h5py")
    network = DeepConNetwork.load(folder / "weights-rdd-covariance.hdf5")
    settings = f"deepcon, covariance, first {MAX_ROWS} rows"
    note = f"covariance variant, on the first {MAX_ROWS:,} sequences; trained on DeepCov's 3,456 proteins"
    return Method("deepcon", NETWORK, partial(_measure_deepcon, network), settings, note)


def _package_folder(module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed (pip install --no-deps {package})")
    return Path(spec.origin).parent


def _trrosetta_networks(folder: Path, count: int) -> list[nn.Module]:
    from tr_rosetta_pytorch import trRosettaNetwork  # type: ignore[import-not-found]

    networks = []
    with tarfile.open(
        folder / "models" / "models.tar.gz"
    ) as archive:  # not compressed, whatever its name says
        members = sorted(name for name in archive.getnames() if name.endswith(".pt"))
        for name in members[:count]:
            file = archive.extractfile(name)
            assert file is not None  # a member that ends in .pt is a file
            network = trRosettaNetwork()
            network.load_state_dict(
                torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
            )
            networks.append(network.eval())
    return networks


def _measure_trrosetta(networks: list[nn.Module], target: Target) -> Figures:
    from tr_rosetta_pytorch.utils import preprocess  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory(prefix="trrosetta-") as folder, torch.inference_mode():
        path = Path(folder) / "alignment.a3m"
        path.write_text("".join(f">{n}\n{row}\n" for n, row in enumerate(_rows(target))), encoding="ascii")
        inputs = preprocess(path).cpu()
        bins = torch.stack([network(inputs)[2][0] for network in networks]).mean(dim=0)
    # bin 0 is "farther than 20 Å", the next are half an Å wide from 2 Å on
    contact = bins[1 : 1 + BINS_BELOW_8_ANGSTROM].sum(dim=0).numpy()
    return precision_figures((contact + contact.T) / 2, target)


def _measure_deepcon(network: DeepConNetwork, target: Target) -> Figures:
    with torch.inference_mode():
        covariance = torch.from_numpy(deepcon_covariance(_rows(target)))
        contact = network(covariance.permute(2, 0, 1)[None])[0, 0].numpy()
    return precision_figures((contact + contact.T) / 2, target)


def _rows(target: Target) -> list[str]:
    return [decode(row) for row in target.example.features.tokens[:MAX_ROWS]]


def deepcon_covariance(rows: list[str]) -> npt.NDArray[np.float32]:
    """Covariances `[L, L, 441]` of aligned `rows` as DeepCov's `cov21stats` makes them, in DEEPCON's order of states.

    Sequences weigh 1 / number of those that differ in fewer than 38 % of the columns; frequencies have one pseudocount.
    """
    state = np.full(256, len(DEEPCON_LETTERS), dtype=np.int64)
    state[np.frombuffer(DEEPCON_LETTERS.encode(), np.uint8)] = np.arange(len(DEEPCON_LETTERS))
    states = state[np.array([np.frombuffer(row.encode(), np.uint8) for row in rows])]
    count, length = states.shape
    one_hot = np.eye(len(DEEPCON_LETTERS) + 1, dtype=np.float32)[states]
    flat = one_hot.reshape(count, -1)
    differences = length - flat @ flat.T
    alike = differences < int(_ALIKE_DIFFERENCES * length)
    np.fill_diagonal(alike, val=True)
    weights = (1 / alike.sum(axis=1)).astype(np.float32)
    known = one_hot[:, :, :-1].reshape(count, -1)  # letters of no state count in no frequency
    total = len(DEEPCON_LETTERS) + weights.sum()
    single = (1 + weights @ known) / total
    pairs = (1 / len(DEEPCON_LETTERS) + (known * weights[:, None]).T @ known) / total
    covariance = (pairs - single[:, None] * single).reshape(length, 21, length, 21)
    return np.ascontiguousarray(covariance.transpose(0, 2, 1, 3)).reshape(length, length, 441)


class DeepConNetwork(nn.Module):
    """`covariance [1, 441, L, L]` to contact probabilities `[1, 1, L, L]`."""

    def __init__(self) -> None:
        super().__init__()
        self.first_norm = _norm(441)
        self.first = nn.Conv2d(441, 2 * _WIDTH, 1)
        self.norms = nn.ModuleList(_norm(_WIDTH) for _ in range(_BLOCKS))
        self.plain = nn.ModuleList(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1) for _ in range(_BLOCKS))
        self.dilated = nn.ModuleList(
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=step, dilation=step)
            for step in (_DILATIONS[block % len(_DILATIONS)] for block in range(_BLOCKS))
        )
        self.last_norm = _norm(_WIDTH)
        self.last = nn.Conv2d(_WIDTH, 1, 3, padding=1)

    def forward(self, covariance: Tensor) -> Tensor:
        tower = self.first(self.first_norm(covariance).relu())
        tower = tower.unflatten(1, (_WIDTH, 2)).amax(dim=2)  # maxout of neighbouring channels
        for norm, plain, dilated in zip(self.norms, self.plain, self.dilated, strict=True):
            tower = tower + dilated(plain(norm(tower).relu()).relu())
        return self.last(self.last_norm(tower).relu()).sigmoid()

    @classmethod
    def load(cls, path: Path) -> DeepConNetwork:
        """Give a network the weights of Keras layers, named by kind and number in the order they were made."""
        import h5py  # type: ignore[import-not-found]

        network = cls()
        norms = [network.first_norm, *network.norms, network.last_norm]
        inner = [layer for pair in zip(network.plain, network.dilated, strict=True) for layer in pair]
        convolutions = [network.first, *inner, network.last]
        with h5py.File(path) as file, torch.no_grad():
            root = file.get("model_weights", file)
            for layers, kind, fill in (
                (norms, "batch_normalization", _fill_norm),
                (convolutions, "conv2d", _fill_convolution),
            ):
                names = sorted((name for name in root if name.startswith(kind)), key=_number)
                for layer, name in zip(layers, names, strict=True):
                    arrays: dict[str, Any] = {}
                    root[name].visititems(partial(_collect, arrays))
                    fill(layer, arrays)
        return network.eval()


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_KERAS_EPSILON)


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def _collect(arrays: dict[str, Any], name: str, item: Any) -> None:
    if hasattr(item, "dtype"):
        arrays[name.rpartition("/")[2].partition(":")[0]] = torch.from_numpy(item[()])


def _fill_norm(layer: Any, arrays: dict[str, Tensor]) -> None:
    layer.weight.copy_(arrays["gamma"])
    layer.bias.copy_(arrays["beta"])
    layer.running_mean.copy_(arrays["moving_mean"])
    layer.running_var.copy_(arrays["moving_variance"])


def _fill_convolution(layer: Any, arrays: dict[str, Tensor]) -> None:
    layer.weight.copy_(arrays["kernel"].permute(3, 2, 0, 1))  # Keras: rows, columns, in, out
    layer.bias.copy_(arrays["bias"])
