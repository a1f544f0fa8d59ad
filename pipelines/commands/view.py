"""``videoparts view``: open the page of an output folder."""

from __future__ import annotations

import webbrowser
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from ..options import Quiet
from ..terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class View:
    """Open the page that shows the parts in a folder, in your browser; made first, where it is not there.

    The page is one file and needs neither a server nor the network. What is edited in it is saved as edits.json, which
    videoparts edit OUTPUT --edits edits.json applies.
    """

    output: tyro.conf.Positional[Path]
    """The folder that videoparts masks has written."""
    input: Path | None = None
    """Where the clip is now, if it has moved and the page has to be made."""
    open: bool = True
    """Open it; else only say where it is."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def run(self) -> None:
        """Run the command."""
        from videoparts.files.transaction import finish_commit
        from videoparts.sinks.pages.viewer import NAME

        finish_commit(self.output)
        terminal, page = Terminal(self.quiet), self.output / NAME
        if not page.exists():
            self._make(terminal)
        if not (self.open and webbrowser.open(page.resolve().as_uri())):
            terminal.say(f"open {page} in a browser")

    def _make(self, terminal: Terminal) -> None:
        from videoparts.results.manifest import FILE
        from videoparts.sinks.pages.viewer import NAME, Viewer

        from ..outputs import PAGE
        from ..result import held_result

        with held_result(self.output) as (result, made):
            source = result.source(self.input)
            with (
                Viewer(made.path, source.info, result.edition.parts, clip=result.run.clip_path) as viewer,
                closing(result.shown(source, mattes=False)) as shown,
                terminal.bar("page", source.info.frames) as advance,
            ):
                for masks in shown:
                    viewer.write(masks)
                    advance(len(masks))
            formats = {**result.manifest.formats, PAGE: (NAME,)}  # edits keep it up from now on
            replace(result.manifest, formats=formats).save(made.path)
            made.commit([NAME, FILE])
