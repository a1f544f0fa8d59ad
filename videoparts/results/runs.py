"""What a run of ``masks`` keeps in its output folder, for the same command to go on with, and for edits.

``OUTPUT/.videoparts/<key>/`` holds the part model and the masks of one combination of input and settings: the key is a
fingerprint of both, which are kept there too, for people and for ``videoparts status``. Another combination does not
touch it before it is complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import OutputError, SettingsError
from ..files.atomic import atomic_file
from ..files.lock import HOME
from .mask_store import MaskStore

if TYPE_CHECKING:
    from ..parts.model import PartModel

_MODEL = "parts.safetensors"
_SETTINGS = "settings.json"
_VERSION = "videoparts version"


class Run:
    """One run's folder. Nothing is made before something is kept.

    Args:
        output: the folder that the run writes into.
        key: of the run, see `run_key`.
        about: what the key is a fingerprint of; None where nothing is labelled.
    """

    def __init__(self, output: Path, key: str, about: Mapping[str, Any] | None = None) -> None:
        self.folder = output / HOME / key
        self.key = key
        self._about = about

    @property
    def model_path(self) -> Path:
        """Where the part model is kept, all of its parts shown."""
        return self.folder / _MODEL

    def keep_settings(self) -> None:
        """Keep what the key is a fingerprint of.

        Raises:
            OutputError: it cannot be written.
        """
        assert self._about is not None
        with atomic_file(self.folder / _SETTINGS) as temporary:
            temporary.write_text(json.dumps({_VERSION: __version__, **self._about}, indent=2) + "\n")

    def kept_settings(self) -> dict[str, Any]:
        """What was kept, with the version that it is of; empty where nothing can be read."""
        try:
            return dict(json.loads((self.folder / _SETTINGS).read_text()))
        except (OSError, ValueError, TypeError, RecursionError):
            return {}

    @property
    def clip_path(self) -> Path:
        """Where the page's small copy of the clip is kept."""
        return self.folder / "clip.webm"

    def model(self) -> PartModel | None:
        """The part model, None where none was kept yet.

        Raises:
            OutputError: it cannot be read.
        """
        from ..parts.model import PartModel  # loads torch, which most edits do not need

        try:
            return PartModel.load(self.model_path) if self.model_path.exists() else None
        except SettingsError as error:
            raise OutputError(
                f"{self.model_path}: cannot be read; remove {self.folder} and run videoparts masks again, into another "
                "folder if edits.json is there"
            ) from error

    def masks(self) -> MaskStore:
        """The masks as they were found."""
        return MaskStore(self.folder)

    def finer(self, levels: tuple[int, ...]) -> MaskStore:
        """The masks at the last of those levels, each of which divides the one before; the first is the run's own."""
        return MaskStore(self.folder, "-".join(["level", *map(str, levels[1:])])) if levels[1:] else self.masks()

    def others(self) -> list[str]:
        """The folders in which other runs have kept something, relative to the output folder."""
        home = self.folder.parent
        return [f"{HOME}/{path.name}" for path in sorted(home.iterdir()) if path.is_dir() and path != self.folder]


def run_key(about: Mapping[str, Any]) -> str:
    """A fingerprint, 16 hex digits, of all that a run's masks depend on, as JSON has it, and of this version."""
    return hashlib.sha256(json.dumps([__version__, about], sort_keys=True).encode()).hexdigest()[:16]
