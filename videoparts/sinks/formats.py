"""The formats that masks are written in: their names, what each needs, and how each is begun."""

from __future__ import annotations

import importlib
import importlib.util
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ..errors import DependencyError, SettingsError
from ..frames import VideoInfo
from ..masks import Part, PartMasks


class FormatSink(Protocol):
    """Writes masks in one format. What it makes appears when the ``with`` ends without exception, and not before."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files and folders that it makes, known from the start."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read; complete when the ``with`` has ended."""
        ...

    def __enter__(self) -> FormatSink: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, masks: PartMasks) -> None:
        """Take the masks of the next frames."""
        ...


@dataclass(frozen=True)
class Format:
    """One format. Its sink is ``module.sink(folder, like, parts)``: the folder to write into, the source's info, and
    the parts that are shown, in the order of their numbers."""

    name: str
    module: str  # below this package
    sink: str  # the name of the class
    about: str
    mattes: bool = False  # whether it needs `PartMasks.mattes`,
    pixels: bool = False  # and the frames' pixels
    needs: str | None = None  # a module that an extra of that name, or of ``extra``, brings
    extra: str | None = None

    def open(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> FormatSink:
        """Make the sink; nothing is written before its ``with`` begins."""
        made: FormatSink = getattr(importlib.import_module(f".{self.module}", __package__), self.sink)(
            folder, like, tuple(parts)
        )
        return made

    def require(self) -> None:
        """Check that what it needs is installed.

        Raises:
            DependencyError: it is not; the message says how to install it.
        """
        if self.needs is not None and importlib.util.find_spec(self.needs) is None:
            raise DependencyError(
                f"--formats {self.name} needs {self.needs}; install it: pip install 'videoparts[{self.extra}]'"
            )


_ALL = (
    Format("davis", "images.davis", "DavisImages", "a palette PNG a frame, its numbers the labels"),
    Format("labels", "videos.labels_video", "LabelsVideo", "one lossless grey video, its values the labels"),
    Format(
        "overlay", "videos.overlay_clip", "OverlayClip", "the clip with its parts in colour, sound kept", pixels=True
    ),
    Format(
        "mattes", "images.matte_images", "MatteImages", "an antialiased grey PNG a frame for each part", mattes=True
    ),
    Format(
        "prores", "videos.prores", "ProResParts", "a ProRes 4444 a part: source colours, matte as alpha", True, True
    ),
    Format(
        "packed", "videos.prores", "ProResPacked", "ProRes 4444 with four mattes a file, in R, G, B and A", mattes=True
    ),
    Format("webm", "videos.webm", "WebMParts", "a VP9 with alpha a part, for the web", True, True),
    Format(
        "cryptomatte",
        "exchange.cryptomatte",
        "Cryptomatte",
        "a 32-bit EXR a frame that Nuke, Blender and Resolve know",
        mattes=True,
        needs="OpenEXR",
        extra="cryptomatte",
    ),
    Format("coco", "exchange.coco", "Coco", "COCO JSON with run-length masks, a track a part"),
    Format("cvat", "exchange.cvat", "Cvat", "a zip that CVAT imports as segmentation masks"),
    Format("npz", "exchange.npz", "Npz", "a NumPy file a frame: labels and mattes", mattes=True),
)
FORMATS: Mapping[str, Format] = {one.name: one for one in _ALL}


def formats_of(names: Sequence[str]) -> tuple[Format, ...]:
    """The formats of those names, each once, in the order of `FORMATS`.

    Raises:
        SettingsError: there is no format of a name.
    """
    if unknown := [name for name in names if name not in FORMATS]:
        raise SettingsError(f"--formats {unknown[0]}: unknown; take {', '.join(FORMATS)}")
    return tuple(one for name, one in FORMATS.items() if name in names)


def part_stem(part: Part) -> str:
    """A file name for what belongs to one part: its number, and the letters and digits of its name.

    >>> part_stem(Part(3, "left ear/tip", (0, 0, 0))), part_stem(Part(4, "tête_d'oie", (0, 0, 0)))
    ('03-left-ear-tip', '04-tête-d-oie')
    """
    # In one way of writing accents, so that a name gives the same file wherever it was typed.
    letters = unicodedata.normalize("NFC", part.name)
    words = "".join(one if unicodedata.category(one)[0] in "LMN" else " " for one in letters).split()
    slug = "-".join(words)[:40].rstrip("-")
    return f"{part.number:02d}-{slug}" if slug else f"{part.number:02d}"
