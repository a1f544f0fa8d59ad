"""By which bytes a source is known again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..errors import SourceError
from .folder import SUFFIXES, is_frame

_CHUNK = 1 << 20  # bytes that are in memory together


def source_sha256(path: Path) -> str:
    """The SHA-256 of a source's bytes, 64 hexadecimal digits.

    Of a file: of its content. Of a folder of frames: of each picture, in the order of their names' bytes, the name, a
    zero byte, and the 32 bytes of its content's SHA-256. Other files in the folder, hidden ones included, do not count.

    Raises:
        SourceError: there is nothing there, it holds no pictures, or it cannot be read.
    """
    try:
        if not path.is_dir():
            return _content(path).hexdigest()
        pictures = sorted(filter(is_frame, path.iterdir()), key=lambda file: os.fsencode(file.name))
        if not pictures:
            raise SourceError(f"{path}: the folder holds no pictures; give one with {', '.join(SUFFIXES)} files")
        whole = hashlib.sha256()
        for file in pictures:
            whole.update(os.fsencode(file.name) + b"\0" + _content(file).digest())
        return whole.hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}; give a file or folder that can be read") from error


def _content(file: Path) -> hashlib._Hash:
    if file.exists() and not file.is_file():
        raise SourceError(f"{file} is a device or a pipe: give a file")
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest
