"""Descriptors and saliency of one picture in a file, with all that is needed to know what they are and where they lie.

=============== ====================== =======================================================================
``descriptors`` (h, w, D) float32, or  of unit length, of each patch
                float16
``saliency``    (h, w) the same        where the [CLS] token looks, 0 to 1 within the picture (paper, section 4)
=============== ====================== =======================================================================

Beside them stands a text, `AboutFeatures` as JSON: in ``.safetensors`` in the header, under ``videoparts.features/1``;
in ``.npz`` the array ``about``; in ``.zarr`` the attribute ``videoparts.features/1``. No pickle.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from ..errors import DependencyError, OutputError, SourceError
from ..files.archives import write_npz
from ..files.atomic import AtomicFile, AtomicFolder, atomic_file, output_errors
from ..identity import ExtractorIdentity

if TYPE_CHECKING:
    from types import ModuleType

_FORMAT = "videoparts.features/1"
_ABOUT = "about"  # in an .npz

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FeatureSettings:
    """All that the numbers depend on, beside the picture."""

    extractor: ExtractorIdentity  # model, layer, facet, stride, load_size, binned, fingerprint, shifted
    heads: tuple[int, ...]  # whose attention is the saliency
    half: bool  # whether numbers are float16

    def differences(self, other: FeatureSettings) -> list[str]:
        """What differs from others: ``layer 9, not 11``."""
        mine, its = ({**asdict(one.extractor), "heads": one.heads, "half": one.half} for one in (self, other))
        return [f"{name} {_told(mine[name])}, not {_told(its[name])}" for name in mine if mine[name] != its[name]]


@dataclass(frozen=True)
class AboutFeatures:
    """What saved features are of, what made them, and where the patches lie.

    Positions are (y, x) in pixels of the picture, upright, as it was before it was resized; the picture's first pixel
    spans 0 to 1, and its middle is at 0.5. So patch (i, j) is centred at ``origin + (i, j) * step``, exactly.
    """

    picture: str  # file name of the picture or clip
    sha256: str  # of that file
    index: int | None  # of a frame in its clip; None: a picture
    size: tuple[int, int]  # (height, width) of the picture
    shape: tuple[int, int, int]  # (h, w, D)
    origin: tuple[float, float]  # centre of the first patch
    step: tuple[float, float]  # from a patch to the next
    resized: tuple[int, int]  # (height, width) that the ViT saw
    patch: int  # side of a patch there, in pixels
    settings: FeatureSettings
    precision: str  # in which the ViT computed, as float32, bfloat16 or int8

    @classmethod
    def from_json(cls, text: str) -> AboutFeatures:
        """Read what `to_json` gives.

        Raises:
            ValueError, KeyError, TypeError: it is none.
        """
        given = json.loads(text)
        made = given["settings"]
        settings = FeatureSettings(ExtractorIdentity(**made["extractor"]), tuple(made["heads"]), made["half"])
        tuples = {name: tuple(given[name]) for name in ("size", "shape", "origin", "step", "resized")}
        return cls(**(given | tuples | {"settings": settings}))

    def differences(self, settings: FeatureSettings, precision: str) -> list[str]:
        """In what it differs from features of others: ``layer 9, not 11``."""
        computed = [] if self.precision == precision else [f"precision {self.precision}, not {precision}"]
        return self.settings.differences(settings) + computed

    def to_json(self) -> str:
        """All of it, as text."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, eq=False, repr=False)
class SavedFeatures:
    """What a file of features holds."""

    descriptors: Array  # (h, w, D) float32 or float16
    saliency: Array  # (h, w) the same
    about: AboutFeatures

    def __repr__(self) -> str:
        return f"SavedFeatures({self.about.picture}, descriptors={self.descriptors.shape} {self.descriptors.dtype})"

    @property
    def positions(self) -> npt.NDArray[np.float64]:
        """(h, w, 2): the centre (y, x) of each patch in pixels of the picture, see `AboutFeatures`."""
        h, w, _ = self.about.shape
        (top, left), (down, right) = self.about.origin, self.about.step
        y, x = np.meshgrid(top + down * np.arange(h), left + right * np.arange(w), indexing="ij")
        return np.stack([y, x], axis=-1)


def save_features(path: Path, features: SavedFeatures) -> None:
    """Write a file whose suffix says how: ``.safetensors``, ``.npz`` or ``.zarr``, which is a folder.

    Raises:
        OutputError: it cannot be written, or something is there that is no such file; nothing is left half-written.
        DependencyError: for ``.zarr`` the package zarr is missing.
    """
    arrays = {"descriptors": features.descriptors, "saliency": features.saliency}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = features.about.to_json()
    about_features(path)  # raises where something else is there
    if path.suffix == ".zarr":
        _save_zarr(path, arrays, text)
        return
    with atomic_file(path) as temporary:
        if path.suffix == ".npz":
            write_npz(temporary, {**arrays, _ABOUT: np.array(text)})
        else:
            temporary.write_bytes(safetensors.numpy.save(arrays, {_FORMAT: text}))


def load_features(path: str | Path) -> SavedFeatures:
    """Read a file that ``videoparts extract`` or `save_features` has written, whatever its format.

    Raises:
        SourceError: there is no such file, or it is of another kind.
        DependencyError: for ``.zarr`` the package zarr is missing.
    """
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path}: there is no such file; write one with: videoparts extract")
    try:
        if path.suffix == ".zarr":
            group = require_zarr().open_group(str(path), mode="r")
            arrays = {name: np.asarray(group[name][:]) for name in ("descriptors", "saliency")}
            text = group.attrs[_FORMAT]
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                arrays, text = dict(archive), str(archive[_ABOUT])
        else:
            arrays, text = safetensors.numpy.load_file(path), _header(path)
        return SavedFeatures(arrays["descriptors"], arrays["saliency"], AboutFeatures.from_json(text))
    except (safetensors.SafetensorError, OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path}: holds no features; write some with: videoparts extract") from error


def about_features(path: Path) -> AboutFeatures | None:
    """What is told of the features in a file, without reading them; None: there is no such file.

    Raises:
        OutputError: something else has that name.
    """
    if not path.exists():
        return None
    try:
        if path.suffix == ".zarr":
            return AboutFeatures.from_json(require_zarr().open_group(str(path), mode="r").attrs[_FORMAT])
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return AboutFeatures.from_json(str(archive[_ABOUT]))
        return AboutFeatures.from_json(_header(path))
    except (safetensors.SafetensorError, OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError):
        raise OutputError(f"{path} is there, and holds no features: remove it or choose another folder") from None


def require_zarr() -> ModuleType:
    """The package zarr.

    Raises:
        DependencyError: it is not installed.
    """
    try:
        import zarr
    except ImportError:
        raise DependencyError('zarr is not installed; take it with: pip install "videoparts[zarr]"') from None
    module: ModuleType = zarr
    return module


def _header(path: Path) -> str:
    with safetensors.safe_open(path, framework="numpy") as file:
        text: str = (file.metadata() or {})[_FORMAT]
        return text


class _ZarrFolder(AtomicFolder):
    """A ``.zarr``, which holds folders; it is replaced if `about_features` knows it."""

    def __init__(self, target: Path) -> None:
        super().__init__(target, lambda _: True)

    def _check(self) -> None:
        if self.target.exists():
            about_features(self.target)


def _save_zarr(path: Path, arrays: dict[str, Array], text: str) -> None:
    zarr = require_zarr()
    folder: AtomicFile = _ZarrFolder(path)
    temporary = folder.start()
    try:
        with output_errors(path):
            group = zarr.open_group(str(temporary), mode="w")
            for name, array in arrays.items():
                group.create_array(name, data=array)
            group.attrs[_FORMAT] = text
    except BaseException:
        folder.discard()
        raise
    folder.commit()


def _told(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
