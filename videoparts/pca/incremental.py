"""Principal components of any number of descriptors, in memory that does not grow with their number.

What the components are made of, the sum of the descriptors and of their products, is added up in float64, so that they
are those of all descriptors together and not an approximation, whatever the order in which these come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ..clustering import Floats
from ..errors import FitError, SettingsError
from ..one_thread import one_thread

_MOST_NUMBERS = 8192  # of a descriptor: the sums take 8 bytes for each pair of them
_KEPT = 64 << 20  # bytes of descriptors that are kept, for the range of their scores
_TOGETHER = 8 << 20  # bytes of descriptors that are added up at once
_RANGE = (1.0, 99.0)  # percentiles that become black and white

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Components:
    """The K directions in which descriptors differ most, the first most of all.

    Which way a direction points is a matter of choice: here its scores rise from the border of the pictures to their
    middle, where the thing shown usually is. So it is the same in every run, and much the same for more pictures.
    """

    mean: torch.Tensor  # (D,) float32
    axes: torch.Tensor  # (K, D) float32, of unit length, at right angles
    share: tuple[float, ...]  # (K,) of the whole variance
    low: torch.Tensor  # (K,) float32: the scores that are shown black,
    high: torch.Tensor  # (K,) and white: few are beyond

    def __len__(self) -> int:
        return len(self.axes)

    def __repr__(self) -> str:
        return f"Components({', '.join(f'{share:.1%}' for share in self.share)} of the variance)"

    def scores(self, descriptors: torch.Tensor) -> torch.Tensor:
        """Descriptors (..., D) along the components: (..., K) float32."""
        return (descriptors.float() - self.mean.to(descriptors.device)) @ self.axes.to(descriptors.device).T

    def shades(self, descriptors: torch.Tensor) -> torch.Tensor:
        """The scores of descriptors (..., D) with 0 for black and 1 for white, a few of them beyond: (..., K)."""
        low, high = self.low.to(descriptors.device), self.high.to(descriptors.device)
        return (self.scores(descriptors) - low) / (high - low).clamp_min(1e-6)


class IncrementalPCA:
    """Takes descriptors some at a time; gives their components at any time.

    Args:
        kept: bytes of descriptors that are kept, drawn evenly from all, for `Components.low` and `high`. Everything
            else is exact.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._budget = kept
        self._random = np.random.default_rng(0)
        self._count = 0
        self._waiting: list[tuple[Floats, Doubles]] = []  # descriptors that the sums do not have yet
        self._product = self._sum = self._towards = np.zeros(())
        self._middle = 0.0
        self._keep = 1.0  # share of the descriptors that are kept
        self._kept: list[Floats] = []
        self._drawn: list[Doubles] = []  # a number from 0 to 1 for each that is kept
        self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def add(self, descriptors: torch.Tensor, central: torch.Tensor) -> None:
        """Take some more.

        Args:
            descriptors: (n, D).
            central: (n,): how far each is in the middle of its picture, see `centrality`.

        Raises:
            SettingsError: D is too large for products of all pairs.
        """
        some = np.asarray(descriptors.float().cpu().numpy(), np.float32)
        size = some.shape[1]
        if size > _MOST_NUMBERS:
            raise SettingsError(
                f"descriptors of {size} numbers have too many pairs for components; leave --binned out, or take a "
                "smaller --model"
            )
        if not len(some):
            return
        self._count += len(some)
        self._draw(some)
        self._waiting.append((some, np.asarray(central.cpu().numpy(), np.float64)))
        if sum(one.nbytes for one, _ in self._waiting) >= _TOGETHER:
            self._add_up()

    def components(self, count: int) -> Components:
        """The first components of all that was added.

        Raises:
            SettingsError: descriptors have not so many numbers.
            FitError: there are too few descriptors.
        """
        if self._count <= count:
            raise FitError(
                f"{count} components need more than {count} patches, got {self._count}; see more with a larger "
                "--load-size, or take fewer --components"
            )
        size = self._kept[0].shape[1]
        if count > size:
            raise SettingsError(f"--components {count}: descriptors of this model have {size} numbers")
        self._add_up()
        mean = self._sum / self._count
        with one_thread():
            variance, vectors = np.linalg.eigh(self._product / self._count - np.outer(mean, mean))
        axes = vectors[:, ::-1][:, :count].T
        inwards = axes @ (self._towards - self._middle * mean)
        axes = axes * np.where(inwards < 0, -1, 1)[:, None]
        kept = np.concatenate(self._kept)
        low, high = np.percentile((kept - mean) @ axes.T, _RANGE, axis=0)
        total = max(float(variance.sum()), np.finfo(np.float64).tiny)
        return Components(
            mean=torch.from_numpy(mean).float(),
            axes=torch.from_numpy(np.ascontiguousarray(axes)).float(),
            share=tuple(max(0.0, float(one)) / total for one in variance[::-1][:count]),
            low=torch.from_numpy(low).float(),
            high=torch.from_numpy(high).float(),
        )

    def _add_up(self) -> None:
        """Take what waits into the sums."""
        if not self._waiting:
            return
        exact = np.concatenate([one for one, _ in self._waiting]).astype(np.float64)
        central = np.concatenate([one for _, one in self._waiting])
        self._waiting = []
        with one_thread():
            product = exact.T @ exact
            towards = central @ exact
        self._product = self._product + product
        self._sum = self._sum + exact.sum(axis=0)
        self._middle += float(central.sum())
        self._towards = self._towards + towards

    def _draw(self, some: Floats) -> None:
        """Keep each descriptor with the same chance, however many there will be."""
        drawn = self._random.random(len(some))
        inside = drawn < self._keep
        if inside.any():
            self._kept.append(some[inside])
            self._drawn.append(drawn[inside])
            self._bytes += self._kept[-1].nbytes
        while self._bytes > self._budget:
            self._keep /= 2
            kept, drawn = np.concatenate(self._kept), np.concatenate(self._drawn)
            inside = drawn < self._keep
            self._kept, self._drawn = [kept[inside]], [drawn[inside]]
            self._bytes = self._kept[0].nbytes


def centrality(rows: int, columns: int) -> torch.Tensor:
    """How far patches are in the middle of a picture: (rows, columns) float64, from about 0 at the border to 1."""
    y, x = (1 - ((torch.arange(n, dtype=torch.float64) + 0.5) / n * 2 - 1) ** 2 for n in (rows, columns))
    return y[:, None] * x[None, :]
