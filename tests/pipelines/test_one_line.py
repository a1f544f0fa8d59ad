"""Messages of the command line's reader, on one line."""

from __future__ import annotations

import pytest
from videoparts.pipelines.one_line import one_line

FRAMED = """\
╭─ Unrecognized options ───────────────────────────────────────────────────────╮
│ Unrecognized options: --layr, 3                                              │
│ ──────────────────────────────────────────────────────────────────────────── │
│ Perhaps you meant:                                                           │
│     --layer {None}|INT                                                       │
│         Block whose descriptors are taken, from 0; negative counts from the  │
│         last.                                                                │
│ ──────────────────────────────────────────────────────────────────────────── │
│ For full helptext, run videoparts overlay --help                             │
╰──────────────────────────────────────────────────────────────────────────────╯
"""

PLAIN = """\
 Required options
 -------------------------------------------------------------------------
  Missing from videoparts overlay:
      PATH
          A video file, or a folder of frames. (required)
      -o PATH, --output PATH
          The video to write: .mp4, .mov, .mkv, .webm or .avi. (required)
  -------------------------------------------------------------------------
  For full helptext, run:
      videoparts overlay --help
"""


@pytest.mark.parametrize(
    ("box", "line"),
    [
        (
            FRAMED,
            "cannot make anything of --layr, 3; perhaps you mean --layer INT; see videoparts overlay --help",
        ),
        (PLAIN, "videoparts overlay needs PATH, -o PATH; see videoparts overlay --help"),
    ],
)
def test_help_texts_and_frames_are_left_out(box: str, line: str) -> None:
    assert one_line(box) == line


def test_what_has_no_frame_is_said_as_it_is() -> None:
    assert one_line("  something else\n  on two lines\n") == "something else on two lines"
