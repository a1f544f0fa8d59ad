"""A page to look at masks in a browser, to put their parts right, and to save what was changed."""

from __future__ import annotations

import shutil
import tempfile
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from ...errors import OutputError
from ...files.atomic import AtomicFile, atomic_file, ensure_not_input, output_errors
from ...frames import Integers, Pixels, VideoInfo
from ...masks import Part, PartMasks
from .viewer_labels import Nearest, packed, runs
from .viewer_page import around, bytes_element, json_element
from .viewer_proxy import GROUP, Proxy, ProxyTimes, proxy_size

NAME = "viewer.html"
_CHUNK = 3 << 20  # bytes of the proxy in one element; browsers limit the length of a string. Divisible by 3


class Viewer:
    """Writes ``<folder>/viewer.html``: one file that shows the clip and its masks in any browser of today.

    It needs no server and no network. It holds a small copy of the clip (`viewer_proxy`) with the source's times to
    the millisecond, the labels of every frame at that size (`viewer_labels`), and each part's share of every frame,
    counted at full size. In it parts are named, merged, recoloured and dropped; it saves that as ``edits.json``.
    Labels of parts that are not among ``parts`` are shown as background.

    The file appears when the ``with`` ends without exception.

    Args:
        folder: made if missing.
        like: the source.
        parts: the parts that are shown.
        title: of the page; None: the name of the source.
        clip: where the small copy of the clip is kept. If it is there, it is taken, and pixels are not looked at; if
            not, it is put there in the end.

    Raises:
        OutputError: the file cannot be written, or no frame came.
    """

    def __init__(
        self,
        folder: Path,
        like: VideoInfo,
        parts: Sequence[Part],
        *,
        title: str | None = None,
        clip: Path | None = None,
    ) -> None:
        self.path = Path(folder) / NAME
        ensure_not_input(self.path, [like.path])
        self._like = like
        self._parts = tuple(parts)
        self._title = like.path.name if title is None else title
        self._file = AtomicFile(self.path)
        self._size = proxy_size(like)
        self._nearest = Nearest(self._size, [part.number for part in self._parts])
        self._page: IO[bytes] | None = None
        self._clip: IO[bytes] | None = None
        self._kept = clip
        self._proxy: Proxy | None = None  # None: the kept copy is taken, whose times are
        self._known_times = ProxyTimes(like)
        self._group: list[tuple[Pixels, Integers]] = []
        # A few numbers a frame; pixels go to disk.
        self._times = array("q")
        self._index = array("q")
        self._names: list[str] = []
        self._start_ms = 0
        self._areas = [array("f") for _ in self._parts]

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The page."""
        return (self.path,)

    @property
    def notes(self) -> tuple[str, ...]:
        """None: whatever the clip, the page shows it."""
        return ()

    def __enter__(self) -> Viewer:
        temporary = self._file.start()
        try:
            with output_errors(self.path):
                self._page = temporary.open("wb")
                known = self._kept is not None and self._kept.exists()
                self._clip = self._kept.open("rb") if self._kept and known else _unnamed(temporary.parent)
            if not known:
                self._proxy = Proxy(self._clip, self.path, self._like, self._size)
                self._proxy.start()
            before, self._after = around(self._title)
            self._put(before)
        except BaseException:
            self._discard()
            raise
        return self

    def write(self, masks: PartMasks) -> None:
        """Take the pixels and the labels of some frames.

        Raises:
            OutputError: the disk is full, the encoder fails, ...
        """
        frames = masks.frames
        if frames.size != (self._like.height, self._like.width):
            raise ValueError(f"frames must be {(self._like.height, self._like.width)}, got {frames.size}")
        for i, labels in enumerate(masks.labels):
            if not self._times:
                self._start_ms = round(int(frames.pts[i]) * frames.time_base * 1000)
            pts = int(frames.pts[i])
            self._times.append(self._proxy.write(frames.pixels[i], pts) if self._proxy else self._known_times.add(pts))
            self._index.append(int(frames.index[i]))
            if frames.names is not None:
                self._names.append(frames.names[i])
            for part, areas in zip(self._parts, self._areas, strict=True):
                areas.append(np.count_nonzero(labels == part.number) / labels.size)
            self._group.append(runs(self._nearest(labels)))
            if len(self._group) == GROUP:
                self._put_labels()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except BaseException:
            self._discard()
            raise
        if kind is not None:
            self._discard()
            return
        self._file.commit()

    def _finish(self) -> None:
        assert self._clip is not None
        if not self._times:
            raise OutputError(f"{self.path}: there is no frame to write; look at --start and --end")
        if self._group:
            self._put_labels()
        if self._proxy is not None:
            self._proxy.finish()
            if self._kept is not None:
                _keep(self._clip, self._kept)
        with output_errors(self.path):
            self._clip.seek(0)
            while content := self._clip.read(_CHUNK):
                self._put(bytes_element("clip", content))
        self._put(json_element("facts", self._facts()))
        self._put(self._after)
        self._close()

    def _facts(self) -> dict[str, object]:
        height, width = self._size
        return {
            "format": "videoparts.viewer/1",
            "title": self._title,
            "width": width,
            "height": height,
            "group": GROUP,
            "start": self._start_ms,
            "times": self._times.tolist(),
            "index": self._index.tolist(),
            "names": self._names or None,
            "parts": [{"number": part.number, "name": part.name, "colour": part.hex} for part in self._parts],
            "area": [[round(share, 6) for share in areas] for areas in self._areas],
        }

    def _put_labels(self) -> None:
        self._put(bytes_element("labels", packed(self._group)))
        self._group.clear()

    def _put(self, text: str) -> None:
        assert self._page is not None
        with output_errors(self.path):
            self._page.write(text.encode())

    def _close(self) -> None:
        """Close the files. What is still to be written may fail."""
        with output_errors(self.path):
            for file in (self._clip, self._page):
                if file is not None:
                    file.close()

    def _discard(self) -> None:
        """Remove what was written. Never raises."""
        if self._proxy is not None:
            self._proxy.abort()
        for file in (self._clip, self._page):
            if file is not None:
                with suppress(OSError):  # the disk is full: what could not be written goes away too
                    file.close()
        self._file.discard()


def _unnamed(folder: Path) -> IO[bytes]:
    """A temporary file without a name, so that not even a killed run leaves it."""
    return tempfile.TemporaryFile(dir=folder)


def _keep(clip: IO[bytes], path: Path) -> None:
    clip.seek(0)
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(clip, file)
