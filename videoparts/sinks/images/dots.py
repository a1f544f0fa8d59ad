"""Round marks on pictures: of one size in proportion to the picture, numbered, legible on any ground."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from ...frames import Pixels

MOST = 1600  # pixels of the height of a picture that is shown: a larger one is shown smaller
LEAST = 480  # and a smaller one larger, so that numbers can be read
_RADIUS = 1 / 50  # of a dot, of the height
_FINER = 4  # dots are drawn so much larger, then made smaller: smooth edges
_LONG = (1.05, 0.85, 0.6, 0.45)  # size of the letters in radii, by their number


def shown_height(*pictures: Pixels) -> int:
    """The height at which pictures are shown beside each other."""
    return max(LEAST, min(MOST, *(max(map(len, pictures)), MOST)))


def at_height(pixels: Pixels, height: int) -> Image.Image:
    """A picture at another height, of the same shape."""
    picture = Image.fromarray(pixels)
    return picture.resize((max(1, round(picture.width * height / picture.height)), height), Image.Resampling.LANCZOS)


def put_dot(board: Image.Image, centre: tuple[float, float], text: str, colour: tuple[int, int, int]) -> None:
    """Put a filled circle with a white and a dark line around it, and a text on it.

    Args:
        board: RGB, as high as its pictures; changed in place.
        centre: x and y in its pixels, from its top left corner.
        text: at most four letters; may be empty.
        colour: red, green, blue.
    """
    dot = _dot(text, round(board.height * _RADIUS), colour)
    left, top = (round(c - dot.width / 2) for c in centre)
    board.paste(dot, (left, top), dot)


def _dot(text: str, radius: int, colour: tuple[int, int, int]) -> Image.Image:
    side, r = (2 * radius + 1) * _FINER, radius * _FINER
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    middle = side / 2
    for inset, fill in ((0, (0, 0, 0)), (0.09, (255, 255, 255)), (0.25, colour)):
        inner = r * (1 - inset)
        draw.ellipse((middle - inner, middle - inner, middle + inner, middle + inner), fill=(*fill, 255))
    if text:
        font = ImageFont.load_default(r * _LONG[min(len(text), len(_LONG)) - 1])
        draw.text((middle, middle), text, fill=_readable_on(colour), font=font, anchor="mm", stroke_width=1)
    return image.resize((side // _FINER, side // _FINER), Image.Resampling.LANCZOS)


def _readable_on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = colour
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
