"""Memory does not grow with the length of a clip."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest
from videoparts.pipelines.commands.demo import demo_clip

CODE = """
import faulthandler, resource, sys
faulthandler.dump_traceback_later(600, exit=True)
from videoparts.pipelines.main import main
assert main(["overlay", *sys.argv[1:], "-q", "--load-size", "56", "--frames", "8", "--offline", "--device", "cpu"]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def clip(path: Path, frames: int) -> Path:
    """The demo's clip at 640 x 360, forth and forth again until it has so many frames."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        done = 0
        while done < frames:
            with av.open(str(demo_clip())) as source:
                for _, frame in zip(range(frames - done), source.decode(video=0), strict=False):
                    small = frame.reformat(640, 360, "yuv420p")
                    small.pts, small.time_base = done, Fraction(1, 25)
                    out.mux(stream.encode(small))
                    done += 1
        out.mux(stream.encode())
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak memory this way")
def test_a_clip_ten_times_as_long_takes_hardly_more(tmp_path: Path) -> None:
    peaks = []
    for frames in (60, 600):
        source = clip(tmp_path / f"{frames}.mp4", frames)
        command = [sys.executable, "-c", CODE, str(source), "-o", str(tmp_path / f"out{frames}.mp4")]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(said.stdout.split()[-1]))
    assert peaks[1] < 1.05 * peaks[0], f"{peaks[0] / 1024:.0f} MiB became {peaks[1] / 1024:.0f} MiB"
