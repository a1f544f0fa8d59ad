"""Principal components as PNGs: one in colour, and a grey one a component."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch

from ...errors import OutputError
from ...files.atomic import AtomicFolder, ensure_not_input, output_errors
from ...files.transaction import Transaction, transaction
from ...pca.components import PaintedFrames
from ...pca.incremental import Components
from .photograph import save_photograph
from .png import is_our_png

_RGB, _EACH, _FILE = "rgb", "component-", "components.safetensors"
_FORMAT = "videoparts.components/1"


@contextmanager
def component_images(folder: Path, count: int, inputs: Iterable[Path]) -> Iterator[ComponentImages]:
    """Write ``rgb/<frame>.png`` (of three components or more), ``component-1/<frame>.png`` and so on into a folder.

    All that is made appears together when the ``with`` ends without exception, and what an earlier run has made goes;
    anything else in the folder is left alone.

    Args:
        folder: the output folder, made if missing.
        count: of components.
        inputs: folders and files that must not be written over.

    Raises:
        OutputError: the folder cannot be written or holds other files under those names, two frames have one name,
            or no frame came.
    """
    inputs = list(inputs)
    names = [*([_RGB] if count >= 3 else []), *(f"{_EACH}{k}" for k in range(1, count + 1))]
    _check(folder, names, inputs)
    with transaction(folder) as new:
        sink = ComponentImages(new, names)
        yield sink
        if not sink.stems:
            raise OutputError(f"{folder}: there is no frame to write; look at --start and --end")
        _check(folder, names, inputs)  # hours may have passed
        new.commit(sink.made, [name for name in _earlier(folder) if name not in sink.made])


class ComponentImages:
    """What `component_images` gives.

    Attributes:
        made: folders and files, relative to the output folder.
        stems: of the frames that were written.
    """

    def __init__(self, new: Transaction, names: Sequence[str]) -> None:
        self._new, self._names = new, tuple(names)
        self.made = list(names)
        self.stems: set[str] = set()
        with output_errors(new.folder):
            for name in names:
                (new.path / name).mkdir(parents=True)

    def keep(self, components: Components, about: Mapping[str, Any]) -> None:
        """Write the components themselves into ``components.safetensors``: mean, axes, low and high, for descriptors
        of the same extractor.

        Args:
            components: of all pictures.
            about: what they were made of, as JSON has it.
        """
        tensors = {name: getattr(components, name).contiguous() for name in ("mean", "axes", "low", "high")}
        told = json.dumps({**about, "share": components.share})
        with output_errors(self._new.folder):
            (self._new.path / _FILE).write_bytes(safetensors.torch.save(tensors, {_FORMAT: told}))
        self.made.append(_FILE)

    def write(self, painted: PaintedFrames) -> None:
        """Write the pictures of the next frames."""
        folder, rgb = self._new.folder, painted.rgb
        for i in range(len(painted.frames)):
            stem = painted.frames.stem(i)
            if stem in self.stems:
                raise OutputError(f"{folder}: two frames are called {stem}; rename the input frames")
            self.stems.add(stem)
            with output_errors(folder):
                for name in self._names:
                    plane = rgb[i] if name == _RGB else painted.planes[i, int(name.removeprefix(_EACH)) - 1]
                    save_photograph(self._new.path / name / f"{stem}.png", plane)


def _check(folder: Path, names: Sequence[str], inputs: Sequence[Path]) -> None:
    """Refuse what is an input, and what no run has made."""
    for name in {*names, *_earlier(folder)} - {_FILE}:
        ensure_not_input(folder / name, inputs)
        AtomicFolder(folder / name, is_our_png)
    file = folder / _FILE
    if file.exists() and not _is_ours(file):
        raise OutputError(f"{file} is there, and videoparts pca did not make it: remove it or choose another folder")


def _earlier(folder: Path) -> list[str]:
    """What an earlier run has made, by its names."""
    made = [path.name for path in sorted(folder.glob(f"{_EACH}*")) if path.name.removeprefix(_EACH).isdecimal()]
    return [name for name in (*made, _RGB, _FILE) if (folder / name).exists()]


def _is_ours(path: Path) -> bool:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return _FORMAT in (file.metadata() or {})
    except (safetensors.SafetensorError, OSError):
        return False
