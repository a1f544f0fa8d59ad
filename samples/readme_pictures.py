"""Make the pictures of the README anew, with the commands that it shows, from the clip of ``videoparts demo``.

::

    python samples/readme_pictures.py FOLDER [--only page batch]

Five minutes on two cores. Needs Chromium, and Playwright of the extra ``test``. Look at them before they go into
``samples/pictures``: the names in RENAMED are those of the parts as they are numbered now.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from videoparts.pipelines.commands.demo import demo_clip

from videoparts import open_source

SAMPLES = Path(__file__).parent
RENAMED = {1: "head", 2: "chest", 3: "belly", 4: "legs"}
FRAME = 62  # that the page shows
# Squares of frames: top, left and side, in pixels.
SET = {50: (0, 60, 720), 72: (0, 60, 720), 90: (0, 40, 720), 110: (0, 60, 720)}
PAIR = {60: (18, 170, 545), 125: (57, 210, 545)}
RABBITS = {"rabbit one": (36, 52), "rabbit two": (84, 100)}  # short clips: first frame, and the one after the last


def run(*command: object) -> None:
    """Run a command of videoparts, or a script."""
    words = [str(word) for word in command]
    if words[0].endswith(".py"):
        words = [sys.executable, str(SAMPLES / words[0]), *words[1:]]
    else:
        words = [str(Path(sys.executable).with_name("videoparts")), *words]
    subprocess.run(words, check=True)


def sheet(video: Path, frames: int = 3, columns: int = 3, width: int = 480) -> Path:
    """A sheet of some frames of a video, lossless."""
    picture = video.with_suffix(".png")
    run("contact_sheet.py", video, picture, "--frames", frames, "--columns", columns, "--width", width)
    return picture


def stack(pictures: list[Path], out: Path) -> None:
    """One picture under the other."""
    iio.imwrite(out, np.concatenate([iio.imread(picture) for picture in pictures]), quality=88)


def demo(work: Path, out: Path) -> None:
    """Four frames of the demo."""
    run("demo", "-o", work / "demo.mp4")
    stack([sheet(work / "demo.mp4", 4, 4)], out)


def side_by_side(work: Path, out: Path) -> None:
    """Three frames, each beside its parts, one under the other."""
    run("overlay", demo_clip(), "-o", work / "side.mp4", "--side-by-side", "--parts", 6, "--every", 11)
    stack([sheet(work / "side.mp4", 3, 1, 1280)], out)


def page(work: Path, out: Path) -> None:
    """The page of the masks, in a browser."""
    renamed = [word for number, name in RENAMED.items() for word in ("--rename", f"{number}={name}")]
    run("edit", masks(work), *renamed)
    run("page_picture.py", work / "out" / "viewer.html", out, "--frame", FRAME)


def masks(work: Path) -> Path:
    """The masks of the whole clip."""
    if not (work / "out").exists():
        run("masks", demo_clip(), "-o", work / "out")
    return work / "out"


def effects(work: Path, out: Path) -> None:
    """Three frames of two effects."""
    head = ",".join(str(number) for number, name in RENAMED.items() if name == "head")
    others = ",".join(str(number) for number, name in RENAMED.items() if name != "head")
    done = {"cut.mp4": (head, "cutout", "--colour", "#00b140"), "tint.mp4": (others, "tint")}
    for name, (parts, effect, *more) in done.items():
        run("effect", demo_clip(), "--masks", masks(work), "--part", parts, "--do", effect, *more, "-o", work / name)
    stack([sheet(work / name) for name in done], out)


def batch(work: Path, out: Path) -> None:
    """The page of two short clips with the same parts."""
    footage = work / "footage"
    footage.mkdir()
    source = open_source(demo_clip())
    for name, span in RABBITS.items():
        frames = np.stack([source.frame(index).pixels[0] for index in range(*span)])
        iio.imwrite(footage / f"{name}.mp4", frames, plugin="pyav", codec="libx264", fps=25)
    run("batch", footage, "-o", work / "batch", "--shared-parts")
    run("page_picture.py", work / "batch" / "index.html", out, "--width", 1180, "--height", 425)


def squares(folder: Path, crops: Mapping[int, tuple[int, int, int]]) -> list[Path]:
    """Squares of some frames, as pictures."""
    folder.mkdir()
    source, made = open_source(demo_clip()), []
    for index, (top, left, side) in crops.items():
        made.append(folder / f"{index:03d}.png")
        iio.imwrite(made[-1], source.frame(index).pixels[0][top : top + side, left : left + side])
    return made


def cosegment(work: Path, out: Path) -> None:
    """The contact sheet of some pictures."""
    squares(work / "set", SET)
    run("cosegment", work / "set", "-o", work / "sets", "--parts", 4)
    out.write_bytes((work / "sets" / "contact" / "001.jpg").read_bytes())


def correspondences(work: Path, out: Path) -> None:
    """Two pictures with the same points."""
    one, other = squares(work / "pair", PAIR)
    run("correspond", one, other, "-o", work / "pairs", "--pairs", 10)
    iio.imwrite(out, iio.imread(work / "pairs" / f"{one.stem}--{other.stem}.png"), quality=88)


def pca(work: Path, out: Path) -> None:
    """Four frames, their components, and those of the object."""
    run("overlay", demo_clip(), "-o", work / "plain.mp4", "--every", 11, "--alpha", 0, "--outline", 0)
    run("pca", demo_clip(), "-o", work / "pca.mp4", "--every", 11)
    run("pca", demo_clip(), "-o", work / "object.mp4", "--every", 11, "--foreground")
    stack([sheet(work / name, 4, 4, 400) for name in ("plain.mp4", "pca.mp4", "object.mp4")], out)


MADE: dict[str, Callable[[Path, Path], None]] = {
    "demo": demo,
    "side-by-side": side_by_side,
    "page": page,
    "effects": effects,
    "batch": batch,
    "cosegment": cosegment,
    "correspondences": correspondences,
    "pca": pca,
}


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="Make the pictures of the README.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=MADE, default=list(MADE))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for name in given.only:
            MADE[name](Path(work), given.folder / f"{name}.jpg")


if __name__ == "__main__":
    main()
