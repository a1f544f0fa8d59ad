"""The command ``videoparts``: runs one command, turns errors into one line.

Exit status: 0 done, 1 some clips of a batch or pictures of a set have failed, 2 something in the input, the options or
the output was wrong, 130 interrupted.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from videoparts import __version__
from videoparts.errors import VideoPartsError
from videoparts.files.atomic import is_disk_full
from videoparts.out_of_memory import out_of_memory

from .before_torch import settle
from .command_line import Command, parse
from .standard_streams import discard_output, require_standard_streams

_INTERRUPTED = 130
_OF_PATHS = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)  # what a path may lead to


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    command: Command | None = None
    if arguments == ["--version"]:
        print(f"videoparts {__version__}")
        return 0
    try:
        command = parse(arguments or ["--help"])
        command.run()
        sys.stdout.flush()
    except VideoPartsError as error:
        return _fail(str(error), error.status)
    except KeyboardInterrupt as stop:
        after = "\n" if sys.stderr.isatty() else ""  # the terminal has shown ^C
        print(f"{after}videoparts: {stop.args[0] if stop.args else 'stopped; no result was written'}", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in: videoparts info | head -1
        discard_output()
        return 0
    except Exception as error:
        if is_disk_full(error):  # files have errors of their own: this is what was printed
            discard_output()
            return _fail("cannot write to standard output: the disk is full; free some space or choose another place")
        if isinstance(error, OSError) and error.errno in _OF_PATHS and error.filename is not None:
            return _fail(f"{os.fsdecode(error.filename)}: {error.strerror}; check the path and its permissions")
        if (memory := out_of_memory(error)) is None:
            raise
        return _fail(f"{memory}; {_less(command)}")
    return 0


def _less(command: Command | None) -> str:
    """What to do where memory runs out."""
    return "take a smaller --batch-size or --load-size" if hasattr(command, "extractor") else "end other programs"


def _fail(message: str, status: int = 2) -> int:
    print(f"videoparts: {' '.join(message.split())}", file=sys.stderr)
    return status


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def entry() -> None:
    """The console script."""
    require_standard_streams()
    settle()
    status = main()
    if status == _INTERRUPTED:
        # A background thread may still be inside native code, which Python cannot end in good order.
        sys.stderr.flush()
        os._exit(status)
    gc.freeze()  # else Python looks for garbage in all that there is, torch included, and that takes a second
    sys.exit(status)


if __name__ == "__main__":
    entry()
