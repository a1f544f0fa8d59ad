"""Numbers of things in messages."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "", form: str = "") -> str:
    """How many there are of what.

    Args:
        number: how many.
        one: the noun for one.
        many: that for none and several; by default with an s.
        form: of the number, as `format` takes it.

    >>> counted(1, "frame"), counted(1200, "frame", form=",")
    ('1 frame', '1,200 frames')
    >>> counted(2, "hidden file or folder", "hidden files and folders")
    '2 hidden files and folders'
    """
    return f"{number:{form}} {one if number == 1 else many or one + 's'}"
