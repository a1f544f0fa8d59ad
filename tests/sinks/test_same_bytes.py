"""The same frames give the same file, in every process and however busy the machine is."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from clips import clip
from overlays import write
from places import HELPERS

ENCODE = """
import hashlib, sys
from itertools import islice
from pathlib import Path
import av
sys.path.insert(0, sys.argv[2])
from clips import clip
from videoparts.pipelines.commands.demo import demo_clip
from videoparts.sinks.encoding.content import RGB
from videoparts.sinks.encoding.encoder import Encoding
from videoparts.sinks.encoding.video_file import VideoFile

path, size = Path(sys.argv[1]), (480, 854)
with av.open(str(demo_clip())) as source:
    frames = [f.to_ndarray(format="rgb24", width=854, height=480) for f in islice(source.decode(video=0), 20)]
for _ in range(3):
    file = VideoFile(path, clip("x.mp4", size=size).info, size, RGB(), Encoding(sys.argv[3]), audio=False)
    file.start()
    for n, frame in enumerate(frames):
        file.write(frame, 512 * n, n)
    file.finish()
    print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".webm", "libvpx-vp9"), (".webm", "libvpx"), (".mov", "prores_ks"), (".mkv", "ffv1")],
)
def test_the_bytes_do_not_depend_on_the_process_or_its_neighbours(tmp_path, suffix, codec):
    here = str(HELPERS)
    commands = [[sys.executable, "-c", ENCODE, str(tmp_path / f"{i}{suffix}"), here, codec] for i in range(4)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    digests = [one.communicate()[0].split() for one in running]
    assert [len(some) for some in digests] == [3] * 4
    assert len({digest for some in digests for digest in some}) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_x264_does_without_what_makes_its_files_differ(tmp_path, suffix):
    # Where they differ depends on the processor and on the pictures: x264 tells in the file how it was asked.
    write(tmp_path / f"out{suffix}", clip("x.mp4"))
    content = (tmp_path / f"out{suffix}").read_bytes()
    assert b" mbtree=0 " in content
    assert b"sync_lookahead" not in content


@pytest.mark.parametrize(("speed", "between"), [(None, False), ("medium", True)])
def test_x264_leaves_small_partitions_between_frames_out_unless_a_speed_is_asked_for(tmp_path, speed, between):
    write(tmp_path / "out.mp4", clip("x.mp4"), speed=speed)
    analyse = re.search(rb" analyse=0x[0-9a-f]+:0x([0-9a-f]+) ", (tmp_path / "out.mp4").read_bytes())
    assert (int(analyse[1], 16) & 0x110 != 0) is between  # P and B partitions of 8 x 8
