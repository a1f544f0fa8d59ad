"""Zip archives whose bytes depend on their content alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_FAST = 1  # of zlib: masks are flat, more effort gains little
_UNIX = 3
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # as early as a zip archive can say


def add_entry(archive: zipfile.ZipFile, name: str, content: bytes, *, level: int | None = None) -> None:
    """Append a file without the time of day.

    Args:
        archive: open for writing.
        name: with forward slashes.
        content: all of it.
        level: 1 to 9: how hard to compress; None: not at all.
    """
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.create_system = _UNIX  # whatever the machine
    info.external_attr = 0o644 << 16
    info.compress_type = zipfile.ZIP_STORED if level is None else zipfile.ZIP_DEFLATED
    archive.writestr(info, content, compresslevel=level)


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]], comment: bytes = b"") -> None:
    """Write arrays as ``numpy.load`` reads them, without pickle.

    Args:
        path: of the file; see `atomic_file` for how it appears whole.
        arrays: by name.
        comment: of the archive, at its very end.
    """
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = comment
        for name, array in arrays.items():
            file = io.BytesIO()
            np.lib.format.write_array(file, np.asanyarray(array, order="C"), allow_pickle=False)
            add_entry(archive, f"{name}.npy", file.getvalue(), level=_FAST)
