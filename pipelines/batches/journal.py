"""The journal of a batch: a JSON line for each clip that has come to its end, in ``OUTPUT/journal.jsonl``.

The first line tells what the batch was begun with. A line is on the disk before the next clip's is written; one that a
killed run has left half-written is taken off. Nothing in it depends on chance or on time, and once all clips are
through, its lines are in the order of the clips.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from videoparts.errors import OutputError
from videoparts.files.atomic import atomic_file, output_errors

FILE = "journal.jsonl"
_FORMAT = "videoparts.batch/1"

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """How one clip came to its end."""

    clip: str  # the name of its folder
    input: str  # its absolute path
    stamp: str  # of `stamp_of`: as long as it stays, so does the input
    sha256: str  # of the input, see `source_sha256`; empty: it could not be read
    settings: str  # `settings_key` of what it was made with
    status: Literal["done", "failed"]
    frames: int = 0
    error: str = ""

    def is_there(self, output: Path) -> bool:
        """Whether what was made is still in the output folder; of a clip that failed, whether its input is there."""
        return (output / self.clip if self.status == "done" else Path(self.input)).exists()


class Journal:
    """What has been done in an output folder.

    Args:
        output: the folder. Nothing is touched before `begin`.

    Raises:
        OutputError: there is a journal that cannot be read.
    """

    def __init__(self, output: Path) -> None:
        self.path = output / FILE
        self.settings: Settings | None = None  # that the batch was begun with; None: there is no journal
        self.entries: dict[str, Entry] = {}  # the last of each clip, by its name
        self._end = 0  # bytes of whole lines
        if self.path.exists():
            self._read()

    def begin(self, settings: Settings, *, anew: bool = False) -> None:
        """Begin a batch, or go on with it if the settings are those of the journal.

        Args:
            settings: as JSON has them.
            anew: forget what has been done, whatever the settings.

        Raises:
            OutputError: it cannot be written.
        """
        with output_errors(self.path):
            if self.settings == settings and not anew:
                os.truncate(self.path, self._end)
                return
        self.settings, self.entries = settings, {}
        self._write_whole()

    def add(self, entry: Entry) -> None:
        """Write a line, and see it to the disk.

        Raises:
            OutputError: it cannot be written.
        """
        line = _line(asdict(entry))
        with output_errors(self.path), self.path.open("r+b") as file:
            file.seek(self._end)
            file.truncate()  # what an earlier attempt, on a full disk, may have left
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._end += len(line)
        self.entries[entry.clip] = entry

    def sort(self, clips: Iterable[str]) -> None:
        """Bring the last line of each clip into the order of ``clips``; those of others come behind.

        Raises:
            OutputError: it cannot be written.
        """
        order = {name: k for k, name in enumerate(clips)}
        names = sorted(self.entries, key=lambda name: (order.get(name, len(order)), name))
        self.entries = {name: self.entries[name] for name in names}
        self._write_whole()

    def _write_whole(self) -> None:
        head = _line({"format": _FORMAT, "settings": dict(self.settings or {})})
        content = head + b"".join(_line(asdict(entry)) for entry in self.entries.values())
        with atomic_file(self.path) as temporary:
            temporary.write_bytes(content)
        self._end = len(content)

    def _read(self) -> None:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}; look at its permissions") from error
        *lines, _ = content.split(b"\n")  # what comes after the last line's end was not written to its end
        self._end = sum(len(line) + 1 for line in lines)
        try:
            head = json.loads(lines[0])
            if head["format"] != _FORMAT:
                raise OutputError(f"{self.path}: a journal of another version of videoparts; choose another folder")
            self.settings = dict(head["settings"])
            for line in lines[1:]:
                entry = _entry(json.loads(line))
                self.entries[entry.clip] = entry
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise OutputError(
                f"{self.path}: not a journal that can be read; remove it with summary.csv, index.html and "
                "parts.safetensors, and what is there is looked through anew"
            ) from error


def settings_key(settings: Settings) -> str:
    """A fingerprint of settings, 16 hex digits."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def differences(before: Settings, now: Settings) -> list[str]:
    """What two settings differ in, a line for each: which option, what it was, what it is."""
    names = [*before, *(name for name in now if name not in before)]
    return [
        f"{_option(name)} {_value(before.get(name))}, now {_value(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def stamp_of(path: Path) -> str:
    """What changes when an input is written to: the number of its files, their bytes and the latest time.

    Of a folder the files count, not what lies deeper. Empty where nothing can be read.
    """
    try:
        found = [entry.stat() for entry in os.scandir(path) if entry.is_file()] if path.is_dir() else [path.stat()]
    except OSError:
        return ""
    size, latest = sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)
    return f"{len(found)} {size} {latest}"


def _entry(given: Mapping[str, Any]) -> Entry:
    known = {field.name: given[field.name] for field in fields(Entry) if field.name in given}
    entry = Entry(**known)
    texts = (entry.clip, entry.input, entry.stamp, entry.sha256, entry.settings, entry.error)
    if not all(isinstance(text, str) for text in texts) or entry.status not in ("done", "failed"):
        raise ValueError("a field has the wrong type")
    return entry


def _line(about: Mapping[str, Any]) -> bytes:
    return json.dumps(about).encode() + b"\n"


def _option(name: str) -> str:
    return name if " " in name else "--" + name.replace("_", "-")


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
