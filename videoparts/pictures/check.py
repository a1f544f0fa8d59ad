"""A look at every picture of a set before hours of work: which can be used, and by which bytes they are known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from ..errors import SourceError
from ..grid import why_unusable
from ..sources.folder import has_alpha
from ..sources.picture_set import Picture
from ..stream import ordered

_WORKERS = 4


@dataclass(frozen=True)
class CheckedPicture:
    """A picture that can be used."""

    picture: Picture
    size: tuple[int, int]  # (height, width), upright
    sha256: str  # of the file
    alpha: bool = False  # whether it has an alpha channel, which is not looked at


def checked(
    pictures: Sequence[Picture], patch: int, on_pictures: Callable[[int], None] | None = None
) -> tuple[list[CheckedPicture], dict[str, str]]:
    """Decode every picture once.

    Args:
        pictures: the set.
        patch: side in pixels of a patch, which a picture must have.
        on_pictures: called with 1 after each.

    Returns:
        Those that can be used, and why the others cannot, by their names.
    """

    def look(picture: Picture) -> CheckedPicture | str:
        try:
            height, width, _ = picture.pixels().shape
            alpha = has_alpha(picture.path)
            content = hashlib.sha256(picture.path.read_bytes()).hexdigest()
        except SourceError as error:
            return str(error)
        except OSError as error:
            return f"{picture.path}: {error.strerror or error}; check its permissions"
        why = why_unusable((height, width), patch)
        return CheckedPicture(picture, (height, width), content, alpha) if why is None else f"{picture.path}: {why}"

    good: list[CheckedPicture] = []
    bad: dict[str, str] = {}
    with closing(ordered(look, pictures, _WORKERS)) as looked:
        for picture, one in zip(pictures, looked, strict=True):
            if isinstance(one, str):
                bad[picture.name] = one
            else:
                good.append(one)
            if on_pictures is not None:
                on_pictures(1)
    return good, bad
