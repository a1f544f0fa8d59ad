"""Zip archives whose bytes depend on their content alone."""

from __future__ import annotations

import zipfile

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
