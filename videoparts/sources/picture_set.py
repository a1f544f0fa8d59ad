"""Sets of pictures that have nothing to do with time: any sizes and shapes, in natural order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SourceError
from ..frames import Pixels
from .folder import SUFFIXES, is_frame, natural_key, read_picture


@dataclass(frozen=True)
class Picture:
    """One picture of a set."""

    path: Path
    name: str  # what its results are called: its stem, or with the suffix where two have one stem

    def pixels(self) -> Pixels:
        """(H, W, 3) uint8 RGB, upright; see `sources.folder.read_picture`.

        Raises:
            SourceError: it cannot be decoded.
        """
        return read_picture(self.path)


def pictures_of(given: Sequence[Path]) -> list[Picture]:
    """The pictures among paths: files as they are given, and what folders hold in natural order, not what lies deeper.

    Raises:
        SourceError: a path is not there, a folder holds no picture, or two pictures have one name.
    """
    files = [file for path in given for file in _files(path)]
    # Alike whatever their case, for file systems to which a.png is A.png.
    stems = Counter(file.stem.casefold() for file in files)
    names = [file.name if stems[file.stem.casefold()] > 1 else file.stem for file in files]
    counts = Counter(name.casefold() for name in names)
    for name, file in zip(names, files, strict=True):
        if counts[name.casefold()] > 1:
            raise SourceError(f"{file}: another picture is called {name} too; rename one of them")
    return [Picture(file, name) for file, name in zip(files, names, strict=True)]


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            if not path.exists():
                raise SourceError(f"{path}: there is no such picture or folder; check the path")
            if path.suffix.lower() not in SUFFIXES:  # of a video, its first frame would be read
                raise SourceError(f"{path}: is no picture by its name; give {', '.join(SUFFIXES)} files, or folders")
            return [path]
        found = [file for file in path.iterdir() if is_frame(file)]
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check its permissions") from None
    if not found:
        raise SourceError(f"{path}: the folder holds no pictures; give one with {', '.join(SUFFIXES)} files")
    return sorted(found, key=lambda file: natural_key(file.name))
