"""Which way from patch scores to pixel masks is best, at what price?

::

    python samples/compare_refinement.py DATA [--clips blackswan libby ...] [--every 8] [--load-size 336]

DATA holds a folder a clip, each with ``frames/*.jpg`` and ``masks/*.png`` of the same names, 255 where the object is.

The scores that are refined come from a linear probe, since what finds the object is not the question here: ridge
regression from a patch's descriptor to the share of it that the object covers. **good** is fitted to the truth of 12
frames of a clip, **weak** to that of one. Neither is tested on the frames it was fitted to. The threshold is the one
that is best on those; scores become probabilities by a logistic of slope 8 around it.

What is printed for each method, averaged over frames, then over clips:

- J and F as DAVIS defines them, and ``F fine``: F with a quarter of its tolerance (2 pixels at 854x480);
- ``thin``: the share of the object's thin parts that is found, those that an opening by a disk of 1 % of the
  picture's diagonal removes;
- milliseconds a frame on one core, from scores and frame to mask (median);
- MB: the most memory taken beyond what was held before, where Linux tells it.

The methods other than the library's own were written for this comparison, from the papers named at each.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from clips_with_truth import add_data, given_clips
from PIL import Image

from videoparts.config import ComputeSettings, ExtractorSettings, RefineSettings
from videoparts.evaluation.metrics import boundary_f, jaccard
from videoparts.grid import Grid
from videoparts.refine import colours, pixels
from videoparts.refine.pixels import label_pixels, working_scores
from videoparts.resize import resize, unit_range
from videoparts.vit.extractor import ViTExtractor

TRAINING_FRAMES = 12
RIDGE = 0.03  # a training frame
SLOPE = 8.0
SURE = 1e-3

Mask = npt.NDArray[np.bool_]
Method = Callable[[torch.Tensor, Grid, torch.Tensor], torch.Tensor]  # (h, w), grid, (H, W, 3) uint8 to (H, W) bool


@dataclass(frozen=True)
class Case:
    """A frame that is tested: its patches' probabilities by quality of the scores, and the truth."""

    clip: str
    grid: Grid
    frame: torch.Tensor
    truth: Mask
    probabilities: dict[str, torch.Tensor]


# The library's own.


def library(cells: float = 5, told: float = colours._MOST, **fields: float) -> Method:
    """`label_pixels`, with other settings; ``cells``: pixels of its working picture a side of a patch; ``told``:
    log-odds that a colour tells at most."""

    def method(p: torch.Tensor, grid: Grid, frame: torch.Tensor) -> torch.Tensor:
        with mock.patch.multiple(pixels, _CELLS=(cells, cells), _MOST_ROWS=1000):
            both = torch.stack([1 - p, p])[None]
            scores = working_scores(both, grid, (frame.shape[0], frame.shape[1]))
        with mock.patch.object(colours, "_MOST", told):
            return label_pixels(scores, frame[None], RefineSettings(**fields))[0] > 0  # type: ignore[arg-type]

    return method


# The others. All work on a picture of 1 / ``shrink`` of the frame's size.


def shrunk(frame: torch.Tensor, shrink: int) -> torch.Tensor:
    """(3, y, x) in 0..1."""
    size = (max(1, frame.shape[0] // shrink), max(1, frame.shape[1] // shrink))
    return unit_range(resize(frame[None], size, "bilinear"))[0]


def bilinear(p: torch.Tensor, grid: Grid, size: tuple[int, int]) -> torch.Tensor:
    """Scores of patches at another size."""
    return grid.row_weights(size[0]) @ p @ grid.column_weights(size[1]).T


def enlarged(p: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    """A working picture's probabilities (y, x) to the frame's mask."""
    return F.interpolate(p[None, None], frame.shape[:2], mode="bilinear", align_corners=False)[0, 0] > 0.5


def joint_bilateral(shrink: int = 2, reach: int = 1, place: float = 0.7, colour: float = 0.15) -> Method:
    """Kopf, Cohen, Lischinski, Uyttendaele: "Joint Bilateral Upsampling", 2007.

    A pixel is the mean of the patches around it, weighted by distance (``place``, in patches) and by how near the
    patch's mean colour is to the pixel's.
    """

    def method(p: torch.Tensor, grid: Grid, frame: torch.Tensor) -> torch.Tensor:
        image = shrunk(frame, shrink)
        y, x = image.shape[1:]
        patches = F.pad(
            torch.cat([p[None], F.adaptive_avg_pool2d(image, p.shape)])[None], [reach] * 4, mode="replicate"
        )[0]
        at_y, near_y = positions(y, grid.height, grid.rows, grid)
        at_x, near_x = positions(x, grid.width, grid.columns, grid)
        total, weight = torch.zeros(y, x), torch.zeros(y, x)
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                here = patches[:, near_y + dy + reach][:, :, near_x + dx + reach]
                far = (at_y - near_y - dy)[:, None] ** 2 + (at_x - near_x - dx) ** 2
                unlike = (here[1:] - image).square().sum(0)
                w = torch.exp(-far / (2 * place**2) - unlike / (2 * colour**2))
                weight += w
                total += w * here[0]
        return enlarged(total / weight.clamp(min=1e-12), frame)

    return method


def positions(pixels: int, resized: int, count: int, grid: Grid) -> tuple[torch.Tensor, torch.Tensor]:
    """Where pixels lie, in patches, and the nearest patch."""
    at = ((torch.arange(pixels) + 0.5) * resized / pixels - grid.patch / 2) / grid.stride
    return at, at.round().long().clamp(0, count - 1)


class BilateralGrid:
    """The occupied vertices of a grid over place and colour, five-dimensional, hashed.

    Barron, Poole: "The Fast Bilateral Solver", 2016, section 2 and its supplement: splat, blur, slice, and the
    bistochastisation of the blur.
    """

    def __init__(self, image: torch.Tensor, place: float, luma: float, chroma: float) -> None:
        red, green, blue = image * 255
        bright = 0.299 * red + 0.587 * green + 0.114 * blue
        y, x = torch.meshgrid(*(torch.arange(side) for side in image.shape[1:]), indexing="ij")
        axes = [y / place, x / place, bright / luma, 0.564 * (blue - bright) / chroma, 0.713 * (red - bright) / chroma]
        at = torch.stack([axis.flatten() for axis in axes]).round().long()
        at -= at.amin(1, keepdim=True) - 1  # a free place on each side: no neighbour is that of another row
        steps = torch.cat([torch.ones(1, dtype=torch.long), (at.amax(1) + 2).cumprod(0)[:-1]])
        self.vertices, self.at = torch.unique((at * steps[:, None]).sum(0), return_inverse=True)
        self.count = len(self.vertices)
        wanted = self.vertices + torch.cat([steps, -steps])[:, None]
        found = torch.searchsorted(self.vertices, wanted).clamp(max=self.count - 1)
        self.neighbours = torch.where(self.vertices[found] == wanted, found, self.count)

    def splat(self, pixels: torch.Tensor) -> torch.Tensor:
        """Sums of pixels at vertices."""
        return torch.zeros(self.count).index_add_(0, self.at, pixels)

    def slice(self, vertices: torch.Tensor) -> torch.Tensor:
        """Each pixel's vertex."""
        return vertices[self.at]

    def blur(self, vertices: torch.Tensor) -> torch.Tensor:
        """A (1, 2, 1) kernel along each axis, all axes added up."""
        padded = torch.cat([vertices, torch.zeros(1)])
        total = len(self.neighbours) * vertices
        for neighbour in self.neighbours:
            total += padded[neighbour]
        return total

    def bistochastic(self, rounds: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, m): n * blur(n * ...) has row sums m."""
        mass = self.splat(torch.ones(len(self.at)))
        n = torch.ones(self.count)
        for _ in range(rounds):
            n = (n * mass / self.blur(n)).sqrt()
        return n, n * self.blur(n)


def bilateral_solver(
    shrink: int = 2,
    place: float = 12,
    luma: float = 6,
    chroma: float = 6,
    smooth: float = 8,
    rounds: int = 20,
) -> Method:
    """Barron, Poole: "The Fast Bilateral Solver", 2016. Confidence: squared distance from one half.

    Solved by conjugate gradients with the diagonal as preconditioner.
    """

    def method(p: torch.Tensor, grid: Grid, frame: torch.Tensor) -> torch.Tensor:
        image = shrunk(frame, shrink)
        size = (image.shape[1], image.shape[2])
        vertices = BilateralGrid(image, place, luma, chroma)
        n, m = vertices.bistochastic()
        target = bilinear(p, grid, size).flatten()
        confidence = (2 * target - 1) ** 2 + 0.02
        weight, right = vertices.splat(confidence), vertices.splat(confidence * target)

        def apply(v: torch.Tensor) -> torch.Tensor:
            return smooth * (m * v - n * vertices.blur(n * v)) + weight * v

        diagonal = smooth * (m - len(vertices.neighbours) * n * n) + weight
        solution = right / weight
        rest = right - apply(solution)
        direction = scaled = rest / diagonal
        size_of_rest = rest @ scaled
        for _ in range(rounds):
            applied = apply(direction)
            length = size_of_rest / (direction @ applied).clamp(min=1e-20)
            solution = solution + length * direction
            rest = rest - length * applied
            scaled = rest / diagonal
            size_of_rest, before = rest @ scaled, size_of_rest
            direction = scaled + size_of_rest / before.clamp(min=1e-20) * direction
        return enlarged(vertices.slice(solution).view(size), frame)

    return method


def dense_crf(
    shrink: int = 2, place: float = 30, luma: float = 8, chroma: float = 6, pull: float = 5, rounds: int = 5
) -> Method:
    """Kraehenbuehl, Koltun: "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", 2011.

    Two labels, one kernel, blurred on a bilateral grid instead of their permutohedral lattice.
    """

    def method(p: torch.Tensor, grid: Grid, frame: torch.Tensor) -> torch.Tensor:
        image = shrunk(frame, shrink)
        size = (image.shape[1], image.shape[2])
        vertices = BilateralGrid(image, place, luma, chroma)
        unary = torch.logit(bilinear(p, grid, size).flatten().clamp(SURE, 1 - SURE))
        mass = vertices.slice(vertices.blur(vertices.splat(torch.ones_like(unary))))
        belief = unary.sigmoid()
        for _ in range(rounds):
            message = vertices.slice(vertices.blur(vertices.splat(belief))) / mass
            belief = (unary + 2 * pull * (message - 0.5)).sigmoid()
        return enlarged(belief.view(size), frame)

    return method


def window_crf(
    shrink: int = 4, reach: int = 5, place: float = 3, colour: float = 0.04, pull: float = 6, rounds: int = 5
) -> Method:
    """Teichmann, Cipolla: "Convolutional CRFs for Semantic Segmentation", 2018: the same model, in a window."""

    def method(p: torch.Tensor, grid: Grid, frame: torch.Tensor) -> torch.Tensor:
        image = shrunk(frame, shrink)
        size = y, x = (image.shape[1], image.shape[2])
        pairs, mass = [], torch.full(size, 1e-3)
        for dy in range(reach + 1):
            for dx in range(-reach, reach + 1):
                if (dy, dx) <= (0, 0) or dy >= y or abs(dx) >= x:
                    continue
                a = (slice(0, y - dy), slice(max(0, -dx), x - max(0, dx)))
                b = (slice(dy, y), slice(max(0, dx), x - max(0, -dx)))
                unlike = (image[(slice(None), *a)] - image[(slice(None), *b)]).square().sum(0)
                kernel = torch.exp(-unlike / (2 * colour**2) - (dy * dy + dx * dx) / (2 * place**2))
                mass[a] += kernel
                mass[b] += kernel
                pairs.append((a, b, kernel))
        scale = mass.rsqrt()
        unary = torch.logit(bilinear(p, grid, size).clamp(SURE, 1 - SURE))
        belief = unary.sigmoid()
        for _ in range(rounds):
            sent, message = (2 * belief - 1) * scale, torch.zeros(size)
            for a, b, kernel in pairs:
                message[a] += kernel * sent[b]
                message[b] += kernel * sent[a]
            belief = (unary + pull * message * scale).sigmoid()
        return enlarged(belief, frame)

    return method


METHODS: dict[str, Method] = {
    "bilinear": library(radius=0),
    "guided filter": library(steps=0),
    "guided filter, radius 4": library(steps=0, radius=4),
    "guided filter, radius 8": library(steps=0, radius=8),
    "guided filter, eps 1e-3": library(steps=0, eps=1e-3),
    "guided filter, 3 cells a patch": library(steps=0, radius=3, cells=3),
    "joint bilateral": joint_bilateral(),
    "joint bilateral, wider": joint_bilateral(reach=2, place=1, colour=0.1),
    "bilateral solver": bilateral_solver(),
    "bilateral solver, quarter size": bilateral_solver(shrink=4, place=6),
    "dense CRF": dense_crf(),
    "dense CRF, quarter size": dense_crf(shrink=4, place=15),
    "window CRF": window_crf(),
    "window CRF, half size": window_crf(shrink=2, reach=7, place=5),
    "guided mean field (default)": library(),
    "guided mean field, no colours": library(told=0),
    "guided mean field, radius 4": library(radius=4),
    "guided mean field, 2 steps": library(steps=2),
    "guided mean field, 10 cells a patch": library(radius=6, cells=10),
}


# Scores and truth.


def cases(folder: Path, extractor: ViTExtractor, every: int) -> Iterator[Case]:
    """Frames of a clip that no probe was fitted to, every n-th of them."""
    files = sorted((folder / "frames").glob("*.jpg"))
    training = sorted({round(i) for i in np.linspace(0, len(files) - 1, TRAINING_FRAMES)})
    testing = [i for i in range(len(files)) if i not in training][::every]
    frames = {i: torch.from_numpy(np.asarray(Image.open(files[i]).convert("RGB")).copy()) for i in training + testing}
    truths = {i: read_mask(folder / "masks" / f"{files[i].stem}.png") for i in frames}
    size = (frames[0].shape[0], frames[0].shape[1])
    grid = extractor.grid(size)
    # A bias, as one more number of each descriptor.
    descriptors = {i: extractor.extract(frame[None]).descriptors[0].float() for i, frame in frames.items()}
    x = {i: F.pad(of_frame, (0, 1), value=1) for i, of_frame in descriptors.items()}
    fitted = {"good": training, "weak": training[len(training) // 2 :][:1]}
    probes = {quality: probe(x, truths, of, grid, size) for quality, of in fitted.items()}
    for i in testing:
        scores = {quality: torch.sigmoid(SLOPE * (x[i] @ w - at)) for quality, (w, at) in probes.items()}
        yield Case(folder.name, grid, frames[i], truths[i], scores)


def read_mask(path: Path) -> Mask:
    """(H, W) bool."""
    return np.asarray(Image.open(path).convert("L")) > 127


def probe(
    x: dict[int, torch.Tensor], truths: dict[int, Mask], of: list[int], grid: Grid, size: tuple[int, int]
) -> tuple[torch.Tensor, float]:
    """Weights of a ridge regression fitted to some frames, and the threshold that is best on them."""
    shares = {
        i: cv2.resize(truths[i].astype(np.float32), (grid.columns, grid.rows), interpolation=cv2.INTER_AREA) for i in of
    }
    a = torch.cat([x[i].flatten(0, 1) for i in of]).double()
    y = torch.cat([torch.from_numpy(shares[i]).flatten() for i in of]).double()
    gram = a.T @ a
    gram.diagonal()[:-1].add_(RIDGE * len(of))
    w = torch.linalg.solve(gram, a.T @ y).float()
    full = {i: bilinear(x[i] @ w, grid, size).numpy() for i in of}
    thresholds = np.arange(0.15, 0.75, 0.05)
    at = max(thresholds, key=lambda t: statistics.fmean(jaccard(full[i] > t, truths[i]) for i in of))
    return w, float(at)


# Measuring.


def thin_recall(mask: Mask, truth: Mask) -> float | None:
    """The share of what an opening removes of the truth that is in the mask; None where it removes next to nothing."""
    radius = math.ceil(0.01 * math.hypot(*truth.shape))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    thin = truth & (cv2.morphologyEx(truth.view(np.uint8), cv2.MORPH_OPEN, disk) == 0)
    return float(mask[thin].mean()) if thin.sum() > 0.02 * truth.sum() else None


def peak_memory(run: Callable[[], object]) -> float | None:
    """The most MB that a call takes beyond what is held before, as Linux counts it; None elsewhere."""
    status, forget = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    run()
    try:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        forget.write_text("5")
        before = _kilobytes(status, "VmRSS")
        run()
        return (_kilobytes(status, "VmHWM") - before) / 1024
    except OSError:
        return None


def _kilobytes(status: Path, field: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field))


def mean_over_clips(values: list[tuple[str, float]]) -> tuple[float, dict[str, float]]:
    """The mean over clips of the mean over frames, and the means of the clips."""
    by_clip: dict[str, list[float]] = {}
    for clip, value in values:
        by_clip.setdefault(clip, []).append(value)
    means = {clip: statistics.fmean(some) for clip, some in by_clip.items()}
    return (statistics.fmean(means.values()) if means else math.nan), means


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="Ways from patch scores to pixel masks, compared.")
    add_data(parser)
    parser.add_argument("--every", type=int, default=8, help="test every n-th frame of those not fitted to")
    parser.add_argument("--load-size", type=int, default=336)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    folders = given_clips(parser, given.data, given.clips)
    settings = ExtractorSettings(layer=9, facet="token", load_size=given.load_size)
    extractor = ViTExtractor(settings, ComputeSettings(device="cpu"))
    tested = [case for folder in folders for case in cases(folder, extractor, given.every)]
    print(f"{len(tested)} frames of {', '.join(path.name for path in folders)}")
    for quality in ("good", "weak"):
        print(f"\n{quality:36}    J     F  F fine  thin    ms   MB  J a clip")
        for name, method in METHODS.items():
            js, fs, fines, thins, times = [], [], [], [], []
            for case in tested:
                p = case.probabilities[quality]
                start = time.perf_counter()
                mask = method(p, case.grid, case.frame)
                times.append(1000 * (time.perf_counter() - start))
                found = mask.numpy()
                js.append((case.clip, jaccard(found, case.truth)))
                fs.append((case.clip, boundary_f(found, case.truth)))
                fines.append((case.clip, boundary_f(found, case.truth, 0.002)))
                if (thin := thin_recall(found, case.truth)) is not None:
                    thins.append((case.clip, thin))
            case = tested[0]
            p = case.probabilities[quality]
            memory = peak_memory(lambda: method(p, case.grid, case.frame))  # noqa: B023
            j, clips = mean_over_clips(js)
            f, fine, thin_share = (mean_over_clips(values)[0] for values in (fs, fines, thins))
            print(
                f"{name:36} {j:.3f} {f:.3f}   {fine:.3f} {thin_share:.3f} {statistics.median(times):5.1f} "
                f"{'-' if memory is None else f'{memory:.0f}':>4}  {' '.join(f'{v:.2f}'[1:] for v in clips.values())}",
                flush=True,
            )


if __name__ == "__main__":
    main()
