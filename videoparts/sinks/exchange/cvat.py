"""An archive that CVAT imports as "Segmentation mask 1.1"."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from ...errors import OutputError
from ...files.archives import add_entry
from ...files.atomic import AtomicFile
from ...frames import Pixels, VideoInfo
from ...masks import Part, PartMasks
from ...sources.folder import is_frame
from ..frame_sink import FrameSink
from ..images.png import png
from .distinct import distinct_colours, distinct_names, renamed

NAME = "cvat.zip"
_BACKGROUND = "background"


class Cvat(FrameSink):
    """Writes ``<folder>/cvat.zip``, as https://docs.cvat.ai/docs/dataset_management/formats/format-smask/ has it.

    ====================================== =====================================================================
    ``labelmap.txt``                       ``name:red,green,blue::``, the background first, then the parts
    ``ImageSets/Segmentation/default.txt`` the frames' names
    ``SegmentationClass/<frame>.png``      a palette image: the number of a line of the label map, in its colour
    ``SegmentationObject/<frame>.png``     the same, in the colours that PASCAL VOC gives numbers: one object a part
    ====================================== =====================================================================

    CVAT finds labels by their names: the task that it is imported into needs labels called as in ``labelmap.txt``.
    Colons, commas, number signs and ends of lines are blanks there, as they mean something, and names and colours
    are told apart where parts share them.

    Raises:
        OutputError: the file cannot be written, two frames have one name, or no frame came.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        path = Path(folder) / NAME
        self._target = AtomicFile(path)
        super().__init__(path, [self._target], [like.path])
        names = _names(parts)
        colours = distinct_colours([part.colour for part in parts])
        self._map = "".join(
            f"{name}:{red},{green},{blue}::\n"
            for name, (red, green, blue) in zip([_BACKGROUND, *names], [(0, 0, 0), *colours], strict=True)
        )
        self.notes = renamed(path, parts, names)
        self._line = np.zeros(256, np.uint8)  # of the label map, for each label
        self._line[[part.number for part in parts]] = np.arange(1, len(parts) + 1)
        self._classes = bytes(value for colour in ((0, 0, 0), *colours) for value in colour)
        self._objects = _voc_colours()[: len(parts) + 1].tobytes()
        self._archive: zipfile.ZipFile | None = None
        if like.path.is_dir():  # said now, and not after hours
            for file in filter(is_frame, like.path.iterdir()):
                self._require_listed(file.stem)

    def _begin(self) -> None:
        self._archive = zipfile.ZipFile(self._target.temporary, "w")
        add_entry(self._archive, "labelmap.txt", f"# label:color_rgb:parts:actions\n{self._map}".encode())

    def _require_listed(self, stem: str) -> None:
        if stem != stem.strip() or stem.startswith("#") or not stem.isprintable():
            raise OutputError(f"{self.path}: CVAT cannot list a frame called {stem!r}; rename the input frames")

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        assert self._archive is not None
        self._require_listed(stem)
        lines = self._line[masks.labels[i]]
        add_entry(self._archive, f"SegmentationClass/{stem}.png", png(lines, self._classes))
        add_entry(self._archive, f"SegmentationObject/{stem}.png", png(lines, self._objects))

    def _end(self) -> None:
        assert self._archive is not None
        listed = "".join(f"{stem}\n" for stem in self._stems)
        add_entry(self._archive, "ImageSets/Segmentation/default.txt", listed.encode())
        self._archive.close()

    def _close(self) -> None:
        if self._archive is not None:
            with suppress(OSError):  # a full disk cannot take the index, and need not
                self._archive.close()


def _names(parts: Sequence[Part]) -> list[str]:
    """What the parts are called in ``labelmap.txt``."""
    safe = [re.sub(r"[:,#\s]+", " ", part.name).strip() or f"part {part.number}" for part in parts]
    # CVAT takes a label of that name, in letters of any size, for the background.
    return distinct_names(safe, lambda name: _BACKGROUND if name.casefold() == _BACKGROUND else name, [_BACKGROUND])


def _voc_colours() -> Pixels:
    """(256, 3): the colours of numbers as PASCAL VOC's devkit makes them: bit 3n + c of a number is bit 7 - n of
    channel c."""
    numbers = np.arange(256, dtype=np.uint8)
    table = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        table[:, bit % 3] |= (numbers >> bit & 1) << (7 - bit // 3)
    return table
