"""The error of a picture that cannot be read, whoever reads it."""

from __future__ import annotations

from pathlib import Path

from ..errors import SourceError

NO_PICTURE = "this is not a picture, or a broken one"


def broken_picture(file: Path, why: str, error: BaseException | None = None) -> SourceError:
    """That a picture must be made again.

    Args:
        file: the picture.
        why: what is wrong with it.
        error: of the library that read it, the first line of which says more.
    """
    if error is not None:
        why += f" ({(str(error).splitlines() or [type(error).__name__])[0]})"
    return SourceError(f"{file}: {why}; make it again or remove it")
