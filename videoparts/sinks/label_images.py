"""One palette image a frame, as the DAVIS data set has them: its numbers are the labels."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

from PIL import Image, PngImagePlugin

from ..atomic import AtomicFolder, ensure_not_input, output_errors
from ..clock import StageClock
from ..errors import OutputError
from ..frames import Pixels
from ..masks import PartMasks
from ..palette import palette, palette_png

FOLDER = "davis"
_MARK = b"Software\0videoparts"  # a text chunk in every image, by which a later run knows that it may be replaced
_LEVEL = 3  # of zlib: 1.6 ms and 11 kB for a frame of 720p; 6 takes 5 ms for 7 kB, 9 takes 12 ms for 5 kB


class LabelImages:
    """Writes ``<folder>/<name>/<frame>.png``: mode P, number = label, 0 = black background, colours as in the overlay.

    A frame's name is its file's stem in a folder of frames, else its five-digit number in the source. The folder
    appears when the ``with`` ends without exception; one of an earlier run is replaced, one that holds
    anything else is left alone.

    Args:
        folder: made if missing.
        colours: (P+1, 3) uint8, the colour of each label; None: `palette()`.
        name: of the folder with the pictures, in ``folder``.
        inputs: files and folders that must not be written over.
        clock: counts the time of "write".

    Raises:
        OutputError: the folder cannot be written or holds other files, two frames have one name, or no frame came.
    """

    def __init__(
        self,
        folder: Path | str,
        colours: Pixels | None = None,
        *,
        name: str = FOLDER,
        inputs: Iterable[Path] = (),
        clock: StageClock | None = None,
    ) -> None:
        self.path = Path(folder) / name
        inputs = list(inputs)
        ensure_not_input(self.path, inputs)
        self._palette = palette_png(palette() if colours is None else colours)
        self._folder = AtomicFolder(self.path, _is_ours)
        self._clock = clock
        self._names: set[str] = set()

    def __enter__(self) -> LabelImages:
        self._folder.start()
        return self

    def write(self, masks: PartMasks) -> None:
        """Write the labels of some frames."""
        for i, labels in enumerate(masks.labels):
            name = f"{masks.frames.stem(i)}.png"
            if name in self._names:
                raise OutputError(f"{self.path}: two frames are called {name}; rename the input frames")
            self._names.add(name)
            with self._stage(), output_errors(self.path):
                self._save(labels, self._folder.temporary / name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or not self._names:
            self._folder.discard()
            if kind is None:
                raise OutputError(f"{self.path}: there is no frame to write; look at --start and --end")
            return
        self._folder.commit()

    def _save(self, labels: Pixels, path: Path) -> None:
        image = Image.fromarray(labels)
        image.putpalette(self._palette)  # makes it mode P
        mark = PngImagePlugin.PngInfo()
        mark.add_text("Software", "videoparts")
        image.save(path, "PNG", compress_level=_LEVEL, pnginfo=mark)

    def _stage(self) -> AbstractContextManager[None]:
        return self._clock.stage("write") if self._clock else nullcontext()


def _is_ours(path: Path) -> bool:
    if path.suffix != ".png":
        return False
    with path.open("rb") as file:
        return _MARK in file.read(2048)
