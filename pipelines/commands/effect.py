"""``videoparts effect``: the clip again, with an effect on some of its parts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from videoparts.errors import SettingsError

from ..no_effect import refuse_encoder_options
from ..options import Names, Output, Quiet
from ..terminal import Terminal

_TRANSPARENT = (".mov", ".webm")


@dataclass(frozen=True, kw_only=True)
class EffectCommand:
    """Write the clip again with some of its parts blurred, grey, tinted or cut out; sound and times kept.

    Needs what videoparts masks has written for this clip, edits included.
    """

    input: tyro.conf.Positional[Path]
    """The clip that the masks were made of."""
    output: Output[Path]
    """The video to write: .mp4, .mov, .mkv, .webm or .avi."""
    masks: Path
    """The folder that videoparts masks has written."""
    part: Names
    """Parts, by number or name, as in head or 1,3."""
    do: Literal["blur", "grey", "tint", "cutout"]
    """blur: so much that nothing can be told; grey: without colour; tint: in a colour; cutout: all but the parts goes,
    with alpha in .mov (ProRes 4444) and .webm (VP9), else in front of a colour."""
    others: bool = False
    """Do it to everything but those parts."""
    strength: float = 1.0
    """How much: 0 to 1. Of blur its radius, up to 4: 1 is a twenty-fourth of the frame's short side."""
    colour: str | None = None
    """Of the tint, or behind a cutout, as in #3fa7d6. Unset: the first part's own; behind a cutout nothing, which is
    black where the file cannot say it."""
    codec: str | None = None
    """FFmpeg's name of an encoder. Default: libx264; libvpx-vp9 for .webm."""
    quality: int | None = None
    """Constant quality of the encoder (CRF): lower is better and larger."""
    speed: str | None = None
    """Preset of the encoder, as FFmpeg names them. Default: veryfast."""
    audio: bool = True
    """Keep the sound."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def __post_init__(self) -> None:
        if self.colour is not None and self.do not in ("tint", "cutout"):
            raise SettingsError(f"--colour is of tint and cutout, not of {self.do}: leave it out")
        if self.strength != EffectCommand.strength and self.do == "cutout":
            raise SettingsError("--strength is of blur, grey and tint, not of cutout: leave it out")
        if self._transparent:
            why = f"a {self.output.suffix} with alpha has an encoder of its own; leave it out, or give --colour"
            refuse_encoder_options(self.codec, self.quality, self.speed, why)

    @property
    def _transparent(self) -> bool:
        return self.do == "cutout" and self.colour is None and self.output.suffix.lower() in _TRANSPARENT

    def run(self) -> None:
        """Run the command."""
        from videoparts.clock import StageClock
        from videoparts.editing.edits import read_colour
        from videoparts.files.atomic import ensure_not_input
        from videoparts.files.transaction import finish_commit
        from videoparts.painting.effects import Effect
        from videoparts.sinks.encoding.encoder import Encoding
        from videoparts.sinks.videos.effect_video import Covered, EffectVideo

        from ..result import opened_result

        finish_commit(self.masks)
        result = opened_result(self.masks)
        source, edition = result.source(self.input), result.edition
        ensure_not_input(self.output, [self.input])
        numbers = [edition.number_of(name) for name in self.part]
        if not numbers:
            raise SettingsError("--part: name a part, as in --part head")
        own = next(part.colour for part in edition.parts if part.number == numbers[0])
        default = own if self.do == "tint" else (0, 0, 0)
        effect = Effect(self.do, self.strength, default if self.colour is None else read_colour(self.colour))
        clock, terminal = StageClock(), Terminal(self.quiet)
        sink = EffectVideo(
            self.output,
            source.info,
            effect,
            Covered.of(edition.parts, numbers, self.others),
            len(edition.parts),
            encoding=Encoding(self.codec, self.quality, self.speed),
            transparent=self._transparent,
            audio=self.audio,
            clock=clock,
        )
        frames = 0
        with (
            sink,
            closing(result.shown(source, mattes=True)) as shown,
            terminal.bar(self.do, source.info.frames) as advance,
        ):
            for masks in shown:
                sink.write(masks)
                frames += len(masks)
                advance(len(masks))
        terminal.note(*source.notes, *sink.notes)
        terminal.times(clock, frames)
        terminal.say(f"wrote {self.output}")
