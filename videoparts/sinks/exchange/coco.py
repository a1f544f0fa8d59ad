"""COCO's JSON of instances: a run-length mask a part and frame."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ...files.atomic import AtomicFile
from ...frames import VideoInfo
from ...masks import Part, PartMasks
from ..frame_sink import FrameSink
from .run_lengths import runs_of

NAME = "coco.json"


class Coco(FrameSink):
    """Writes ``<folder>/coco.json``, as https://cocodataset.org/#format-data describes it.

    Categories are the parts: ``id`` the part's number. An image is called by its frame, with ``frame_index`` its
    position in the source. An annotation is a part in a frame, with its compressed run-length mask and ``track_id``
    the part's number; a part without pixels has none. Both are numbered from 1. Labels that no part has are left out.

    Raises:
        OutputError: the file cannot be written, two frames have one name, or no frame came.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        path = Path(folder) / NAME
        self._target = AtomicFile(path)
        super().__init__(path, [self._target], [like.path])
        self._parts = {part.number: part.name for part in parts}
        self._file: IO[str] | None = None
        self._images: IO[str] | None = None  # theirs follow when the last annotation is known
        self._annotations = 0

    def _begin(self) -> None:
        self._file = self._target.temporary.open("w", encoding="utf-8", newline="\n")
        # Nameless where the system can do that, and gone when closed.
        self._images = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=self.path.parent)  # noqa: SIM115
        categories = [
            {"id": number, "name": name, "supercategory": "part"} for number, name in sorted(self._parts.items())
        ]
        self._file.write(f'{{"info": {_json({"description": "videoparts"})},\n"licenses": [],\n')
        self._file.write(f'"categories": {_json(categories)},\n"annotations": [')

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        assert self._file is not None
        assert self._images is not None
        height, width = masks.frames.size
        image = {
            "id": len(self._stems),
            "file_name": f"{stem}.png",
            "width": width,
            "height": height,
            "frame_index": int(masks.frames.index[i]),
        }
        self._images.write(f"{'' if len(self._stems) == 1 else ','}\n{_json(image)}")
        for number, runs in runs_of(masks.labels[i]).items():
            if number not in self._parts:
                continue
            self._annotations += 1
            annotation = {
                "id": self._annotations,
                "image_id": image["id"],
                "category_id": number,
                "segmentation": {"size": [height, width], "counts": runs.counts},
                "area": runs.area,
                "bbox": runs.box,
                "iscrowd": 0,
                "track_id": number,
            }
            self._file.write(f"{'' if self._annotations == 1 else ','}\n{_json(annotation)}")

    def _end(self) -> None:
        assert self._file is not None
        assert self._images is not None
        self._file.write('\n],\n"images": [')
        self._images.seek(0)
        shutil.copyfileobj(self._images, self._file)
        self._file.write("\n]}\n")
        self._file.close()  # what is still to be written may fail
        self._images.close()

    def _close(self) -> None:
        for file in (self._file, self._images):
            if file is not None:
                with suppress(OSError):  # a full disk cannot take the rest, and need not
                    file.close()


def _json(value: Any) -> str:
    return json.dumps(value)  # in ASCII: a file's name need not be UTF-8
