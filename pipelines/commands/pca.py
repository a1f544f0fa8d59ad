"""``videoparts pca``: what descriptors differ in most, as colours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import tyro

from videoparts.config import ExtractorSettings, Facet
from videoparts.errors import SettingsError
from videoparts.presets import PRESETS

from ..no_effect import refuse_encoder_options
from ..options import ExtractorOptions, Names, Numbers, Output, PartOptions, Quiet
from ..terminal import Terminal

if TYPE_CHECKING:
    from videoparts.parts.model import PartModel
    from videoparts.pca.components import PaintedFrames
    from videoparts.pca.incremental import Components
    from videoparts.sources.base import Source

    from ..chain import Chain

_VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
_PICTURES = (".png", ".jpg", ".jpeg")
_MOST_COMPONENTS = 64
_MOST_IN_GRID = 8  # pictures of which all features are in memory together
_QUALITY = 92


@dataclass(frozen=True, kw_only=True)
class Pca(ExtractorOptions):
    """Show what descriptors differ in most, as colours that mean the same in all pictures, or all along a clip.

    Pictures or a clip are gone through twice: once to find the components, once to paint them.
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Pictures and folders of pictures, of any sizes; or one video file; or a folder of frames for a video."""
    output: Output[Path]
    """A folder for pictures: rgb/ in colour, component-1/ and so on in grey. Or a video: .mp4, .mov, .mkv, .webm,
    .avi."""
    components: int = 3
    """Components of which grey pictures are written, 1 to 64. The first three make the colours: with fewer there is no
    rgb/."""
    each: bool = False
    """Components of each picture alone: more contrast, but a colour means something else in each."""
    foreground: bool = False
    """The object only: nothing else counts, and nothing else is painted."""
    frames: int | None = None
    """Find the components in so many pictures or frames, evenly spread: a long clip takes half the time. Unset: in
    all."""
    grid: bool = False
    """Write one picture instead, a row a layer and a column a facet, for up to 8 pictures: OUTPUT/grid.png, or OUTPUT
    itself if that ends in .png or .jpg."""
    layers: Numbers = ()
    """Blocks that --grid shows, as in 2,5,8,11. Unset: four, evenly spread."""
    facets: Names = ("key", "query", "value", "token")
    """Facets that --grid shows."""
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
        if not 1 <= self.components <= _MOST_COMPONENTS:
            raise SettingsError(f"--components must be 1 to {_MOST_COMPONENTS}, got {self.components}")
        if self.frames is not None and self.frames < 1:
            raise SettingsError(f"--frames must be at least 1, got {self.frames}")
        if self.each and self.frames is not None:
            raise SettingsError("--each finds the components of each picture in itself: leave --frames out")
        if self.layers and not self.grid:
            raise SettingsError("--layers says what --grid shows: add --grid, or give --layer")
        if self.grid and self.components != 3:
            raise SettingsError("--grid shows the first three components: leave --components out")
        if self.grid and self.frames is not None:
            raise SettingsError("--grid finds the components in all pictures that it shows: leave --frames out")
        if self.facets != Pca.facets and not self.grid:
            raise SettingsError("--facets says what --grid shows: add --grid, or give --facet")
        if self.grid and not self.foreground:  # the object is found at that layer and facet
            for name in ("layer", "facet"):
                if getattr(self.extractor, name) != getattr(ExtractorSettings(), name):
                    raise SettingsError(f"--{name} says what is shown without --grid: leave it out, or give --{name}s")
        if unknown := [facet for facet in self.facets if facet not in get_args(Facet)]:
            raise SettingsError(f"--facets: {unknown[0]} is none of {', '.join(get_args(Facet))}")

    def run(self) -> None:
        """Run the command."""
        as_video = self._makes_video()  # first: imports take seconds

        from ..chain import Chain
        from ..picture_inputs import is_clip
        from ..set_options import SetOptions

        preset = PRESETS[self.preset]
        of_clip = as_video or is_clip(self.inputs)
        fit = replace(preset.fit, parts=1) if of_clip else SetOptions.adapted(preset).fit
        options = PartOptions(
            preset=self.preset, source=self.source, extractor=self.extractor, compute=self.compute, fit=fit
        )
        chain = Chain(options, Terminal(self.quiet))
        if self.grid:
            self._write_grid(chain)
        elif as_video:
            self._write_video(chain)
        else:
            self._write_pictures(chain)

    def _makes_video(self) -> bool:
        """Whether a video is to be made. What contradicts itself is said before anything is opened."""
        suffix = self.output.suffix.lower()
        as_video = suffix in _VIDEOS and not self.grid and not self.output.is_dir()
        if not as_video:
            refuse_encoder_options(
                self.codec, self.quality, self.speed, f"no video is written to {self.output}; leave it out"
            )
        if self.grid:
            if suffix in _VIDEOS:
                raise SettingsError(f"{self.output}: --grid makes a picture; name a .png, or a folder")
            return False
        if suffix in _PICTURES:
            raise SettingsError(f"{self.output}: name a folder for the pictures, or a video; one picture needs --grid")
        if as_video and (self.components != 3 or len(self.inputs) != 1):
            raise SettingsError(
                f"{self.output}: a video shows three components of one clip; leave --components out, or name a "
                "folder for pictures"
            )
        return as_video

    def _object(self, chain: Chain, source: Source) -> PartModel | None:
        """What finds the object, in pictures as `videoparts cosegment` does; None: it is not asked for."""
        from videoparts.sources.picture_source import PictureSource

        if not self.foreground:
            return None
        if isinstance(source, PictureSource):
            return chain.fit_set(source)
        return chain.fit([source], chain.extractor())

    def _components(self, chain: Chain, source: Source, parts: PartModel | None) -> Components | int:
        """The components of all; their number, where each picture has its own."""
        from videoparts.pca.components import fit_components

        if self.each:
            return self.components
        total = source.info.frames if self.frames is None else min(self.frames, source.info.frames or self.frames)
        with chain.terminal.bar("components", total) as advance:
            return fit_components(
                source,
                chain.extractor(),
                self.components,
                frames=self.frames,
                parts=parts,
                cache=chain.cache,
                clock=chain.clock,
                on_frames=advance,
            )

    def _write_video(self, chain: Chain) -> None:
        from videoparts.sinks.encoding.encoder import Encoding
        from videoparts.sinks.videos.component_video import ComponentVideo

        source = chain.open(self.inputs[0])
        encoding = Encoding(self.codec, self.quality, self.speed)
        sink = ComponentVideo(self.output, source.info, encoding, audio=self.audio)
        with sink:
            parts = self._object(chain, source)
            components = self._components(chain, source, parts)
            frames = self._paint(chain, source, components, parts, sink.write)
        chain.terminal.note(*source.notes, *sink.notes)
        self._say(chain, components, frames, self.output)

    def _write_pictures(self, chain: Chain) -> None:
        from videoparts.sinks.images.component_images import component_images

        from ..picture_inputs import opened_inputs

        around = {path.parent for path in self.inputs}  # of single pictures, the folder must not be written over
        with component_images(self.output, self.components, [*self.inputs, *around]) as sink:
            source, looked = opened_inputs(chain, self.inputs, self.source)
            parts = self._object(chain, source)
            components = self._components(chain, source, parts)
            if not isinstance(components, int):
                about = {"extractor": asdict(chain.extractor().identity), "foreground": self.foreground}
                sink.keep(components, about)
            frames = self._paint(chain, source, components, parts, sink.write)
        chain.terminal.note(*source.notes)
        self._say(chain, components, frames, self.output)
        looked.tell(chain.terminal)

    def _paint(
        self,
        chain: Chain,
        source: Source,
        components: Components | int,
        parts: PartModel | None,
        write: Callable[[PaintedFrames], None],
    ) -> int:
        """Every frame to what writes it, with its progress bar; gives their number."""
        from videoparts.pca.components import paint_components

        frames = 0
        painted = paint_components(
            source, chain.extractor(), components, parts=parts, cache=chain.cache, clock=chain.clock
        )
        with closing(painted), chain.terminal.bar("paint", source.info.frames) as advance:
            for some in painted:
                with chain.clock.stage("write"):
                    write(some)
                frames += len(some.frames)
                advance(len(some.frames))
        return frames

    def _write_grid(self, chain: Chain) -> None:
        from PIL import Image

        from videoparts.files.atomic import AtomicFile, atomic_file, ensure_not_input
        from videoparts.pca.components import object_chance
        from videoparts.pca.figure import layers_and_facets
        from videoparts.sources.picture_source import PictureSource

        from ..picture_inputs import opened_inputs

        suffix = self.output.suffix.lower()
        target = self.output if suffix in _PICTURES else self.output / "grid.png"
        AtomicFile(target)  # raises what would come after the work
        source, looked = opened_inputs(chain, self.inputs, self.source)
        files = [picture.path for picture in source.pictures] if isinstance(source, PictureSource) else []
        ensure_not_input(target, [*self.inputs, *files])
        count = source.info.frames
        if count is None or count > _MOST_IN_GRID:
            raise SettingsError(
                f"--grid shows up to {_MOST_IN_GRID} pictures, not {count or 'a clip of unknown length'}; give fewer, "
                "or take every n-th with --every"
            )
        extractor = chain.extractor()
        parts = self._object(chain, source)
        pictures = list(source.batches(1))
        chances = None
        if parts is not None:
            chances = [object_chance(parts, extractor.extract(one.pixels, tokens=True)) for one in pictures]
        layers = self.layers or tuple(sorted({max(0, extractor.depth * k // 4 - 1) for k in (1, 2, 3, 4)}))
        facets = cast("tuple[Facet, ...]", self.facets)
        with chain.terminal.bar("grid", len(layers) * len(facets), unit="cell") as advance, chain.clock.stage("vit"):
            figure = layers_and_facets(
                pictures, extractor, layers, facets, chances=chances, each=self.each, on_cell=advance
            )
        with atomic_file(target) as temporary:
            Image.fromarray(figure).save(temporary, quality=_QUALITY)  # of a .jpg; a .png has none
        chain.terminal.note(*source.notes)
        self._say(chain, 3, len(pictures), target, "picture")
        looked.tell(chain.terminal)

    def _say(self, chain: Chain, components: Components | int, count: int, target: Path, unit: str = "frame") -> None:
        chain.terminal.times(chain.clock, count, unit)
        if not isinstance(components, int):
            shares = ", ".join(f"{share:.1%}" for share in components.share)
            chain.terminal.say(f"of the variance the components have {shares}")
        chain.terminal.say(f"wrote {target}")
