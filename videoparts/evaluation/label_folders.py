"""Folders of label pictures: which belong together, and what their numbers are."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ..errors import SourceError
from ..frames import Pixels
from ..sources.broken_picture import NO_PICTURE, broken_picture
from ..sources.folder import SUFFIXES, is_frame, natural_key

Files = Mapping[str, Path]  # the pictures of a folder in natural order, by their stems

# Where the pictures may lie below a clip's folder: as `videoparts masks` writes them, and as data sets keep them.
_PREDICTION, _TRUTH, _FRAMES = ("davis", "masks"), ("masks", "davis"), ("frames",)
_ONE = ""  # stands for the name of a clip that has no folder of its own
_GREY = ("L", "LA")
_NUMBERS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_COLOURS = ("RGB", "RGBA", "RGBX")


@dataclass(frozen=True)
class Clip:
    """What belongs together: predicted and annotated label pictures of one clip, and its frames if they are given.

    ``stems`` are the frames to score, in the truth's order; those without a prediction score 0.
    """

    name: str
    prediction: Files
    truth: Files
    frames: Files | None
    stems: tuple[str, ...]


@dataclass(frozen=True)
class MatchedClips:
    """Clips that are to be scored, and the names of those that only one side has."""

    clips: tuple[Clip, ...]
    without_prediction: tuple[str, ...] = ()
    without_truth: tuple[str, ...] = ()


def match_clips(
    prediction: Path | str, truth: Path | str, frames: Path | str | None = None, *, common: bool = False
) -> MatchedClips:
    """Find the clips in two folders, or three. Reads no picture.

    A folder holds the pictures of one clip, or a folder for each of several clips, matched by name. In place of a
    clip's pictures there may be a folder of them: ``davis`` or ``masks``, for frames ``frames``. Frames are matched
    by the stems of their files; files that are no pictures are ignored.

    Args:
        prediction: label pictures, as `videoparts masks` writes them.
        truth: label pictures, 0 is background.
        frames: the frames themselves, which T needs.
        common: score only frames and clips that have a prediction. Otherwise those without one score 0.

    Raises:
        SourceError: a folder cannot be read or has no pictures; two pictures have one stem; the sides have no clip,
            or a clip's sides no frame, in common.
    """
    prediction, truth = Path(prediction), Path(truth)
    predicted, annotated = _clips(prediction, _PREDICTION), _clips(truth, _TRUTH)
    pictured = None if frames is None else (Path(frames), _clips(Path(frames), _FRAMES))
    if (_ONE in predicted) != (_ONE in annotated):
        one, several = (prediction, truth) if _ONE in predicted else (truth, prediction)
        raise SourceError(
            f"{one} holds pictures of one clip, {several} a folder for each of several: give two folders of one kind"
        )
    if not predicted.keys() & annotated.keys():
        raise SourceError(
            f"{prediction} holds the clips {_some(predicted)}, {truth} the clips {_some(annotated)}: none in common; "
            "give folders with the same names"
        )
    clips = [
        _match(name, predicted.get(name), folder, pictured, common)
        for name, folder in annotated.items()
        if name in predicted or not common
    ]
    return MatchedClips(
        tuple(clips),
        without_prediction=tuple(name for name in annotated if name not in predicted),
        without_truth=tuple(name for name in predicted if name not in annotated),
    )


def _match(
    name: str, prediction: Path | None, truth: Path, pictured: tuple[Path, dict[str, Path]] | None, common: bool
) -> Clip:
    """A clip from the folders of its pictures; ``pictured`` are those of all clips' frames, and what was given."""
    known = name
    if name == _ONE:
        folder = truth.resolve()
        known = folder.parent.name if folder.name in _TRUTH else folder.name
    annotated = _pictures(truth)
    predicted = {} if prediction is None else _pictures(prediction)
    both = annotated.keys() & predicted.keys()
    if prediction is not None and not both:
        raise SourceError(
            f"{prediction} ({_some(predicted)}) and {truth} ({_some(annotated)}) have no frame in common: frames are "
            "matched by their files' names without the ending; rename one side's"
        )
    frames = None
    if pictured is not None and both:
        given, folders = pictured
        home = folders.get(name, folders.get(known))
        if home is None:
            raise SourceError(f"{given} holds no frames of the clip {known}: add them, or leave --frames out")
        frames = _pictures(home)
        if not both & frames.keys():
            raise SourceError(
                f"{home} ({_some(frames)}) holds none of the frames of {truth} ({_some(annotated)}): frames are "
                "matched by their files' names without the ending; rename one side's"
            )
    return Clip(known, predicted, annotated, frames, tuple(s for s in annotated if s in predicted or not common))


def _clips(folder: Path, inner: Sequence[str]) -> dict[str, Path]:
    """The folders of pictures in one that was given, by the names of the clips; `_ONE`: it holds those of one clip."""
    home = _home(folder, inner)
    if home is not None:
        return {_ONE: home}
    below = sorted((f for f in _entries(folder) if _is_shown_folder(f)), key=lambda f: natural_key(f.name))
    homes = {clip.name: home for clip in below if (home := _home(clip, inner)) is not None}
    if not homes:
        raise SourceError(f"{folder} holds no pictures, nor folders of pictures: give one with {', '.join(SUFFIXES)}")
    return homes


def _home(folder: Path, inner: Sequence[str]) -> Path | None:
    """Where the pictures of a clip are: in its folder, or in one of the ``inner`` names in it."""
    if any(is_frame(file) for file in _entries(folder)):
        return folder
    within = (folder / name for name in inner)
    return next((one for one in within if one.is_dir() and any(map(is_frame, _entries(one)))), None)


def _pictures(folder: Path) -> dict[str, Path]:
    files = sorted(filter(is_frame, _entries(folder)), key=lambda file: natural_key(file.name))
    pictures: dict[str, Path] = {}
    for file in files:
        other = pictures.setdefault(file.stem, file)
        if other is not file:
            raise SourceError(f"{folder}: {other.name} and {file.name} are both called {file.stem}; keep one of them")
    return pictures


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        raise SourceError(f"{folder} does not exist: give a folder of pictures") from None
    except NotADirectoryError:
        raise SourceError(f"{folder} is a file: give a folder of pictures") from None
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror}; check the folder's permissions") from None


def _is_shown_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _some(names: Collection[str]) -> str:
    """The first names of many."""
    first = ", ".join(itertools.islice(names, 3))
    return f"{first}, ..." if len(names) > 3 else first


def read_labels(file: Path) -> Pixels:
    """The labels (H, W) uint8 of a picture: the index of a palette, the value of grey.

    White of one bit is 255; so is white of 16 bits where a picture has nothing but black and white. A colour picture
    whose three channels are equal counts as grey.

    Raises:
        SourceError: it is no picture, has colours or labels above 255, or is a JPEG, which blurs labels.
    """
    try:
        with Image.open(file) as image:
            if image.format in ("JPEG", "MPO"):
                raise SourceError(f"{file} is a JPEG, which blurs labels: give label pictures as PNG, not the frames")
            return _labels_of(image, file)
    except UnidentifiedImageError:
        raise broken_picture(file, NO_PICTURE) from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise broken_picture(file, "the picture cannot be decoded", error) from None


def _labels_of(image: Image.Image, file: Path) -> Pixels:
    if image.mode in ("P", "PA", *_GREY):
        values = np.array(image)
        return np.ascontiguousarray(values if values.ndim == 2 else values[..., 0], dtype=np.uint8)
    if image.mode == "1":
        return np.array(image.convert("L"))
    if image.mode in _NUMBERS:
        return _eight_bits(np.array(image).astype(np.int64), file)
    if image.mode in _COLOURS:
        values = np.array(image)[..., :3]
        if (values == values[..., :1]).all():
            return np.ascontiguousarray(values[..., 0])
        raise SourceError(
            f"{file} has colours, and which label a colour means is not known: save label pictures as palette or "
            "grey PNG, 0 = background"
        )
    raise SourceError(f"{file} is of Pillow's mode {image.mode}: save label pictures as palette or grey PNG")


def _eight_bits(values: npt.NDArray[np.int64], file: Path) -> Pixels:
    if np.isin(values, (0, 65535)).all():
        return np.where(values > 0, 255, 0).astype(np.uint8)
    if values.min() < 0 or values.max() > 255:
        raise SourceError(
            f"{file} holds values from {values.min()} to {values.max()}: labels go from 0 to 255; save it with 8 bits"
        )
    return values.astype(np.uint8)
