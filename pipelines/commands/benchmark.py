"""``videoparts benchmark``: how fast each stage is here, how fast it could be, and what holds it back."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import tyro

from videoparts.config import ComputeSettings, ExtractorSettings, Precision, RefineSettings
from videoparts.errors import SettingsError
from videoparts.presets import PRESETS

from ..json_report import STDOUT, check_json, write_report
from ..no_effect import refuse_idle_refinement
from ..options import ExtractorOptions, MaskOptions, Names, Numbers, Quiet
from ..terminal import Terminal

if TYPE_CHECKING:
    from videoparts.sources.base import Source
    from videoparts.vit.extractor import ViTExtractor

    from ..benchmarks.comparison import Compared
    from ..benchmarks.measuring import Measured

_BATCHES = 8  # at least


@dataclass(frozen=True, kw_only=True)
class Benchmark(ExtractorOptions):
    """Measure how fast each stage is on this machine, how fast it could be, and what holds it back.

    Wants an idle machine. Each figure is the median of several runs, in turn with what it is compared with: the rate
    of a large matrix product in the same precision, of copies in memory, and the arrangement of the paper's authors
    (fp32, one frame at a time, full attention, all blocks, a second pass for saliency), written anew. Frames are those
    in the middle of the clip.

    frames/s, ms a frame: on the clock, the stage running by itself as the chain runs it, a frame on each core. limit:
    frames/s that the machine could do, where the ViT did nothing but its matrix products, and all else moved each byte
    once. ms of cores: of all cores together. of the work: of the ms of cores that a frame takes from decoding to
    encoding; with a GPU, of its ms.

    JSON: machine; clip; runs; settings; frames; limits: product, copy; stages: decode, link, resize, extract, score,
    carry, window, upsample, paint, encode, those that the settings ask for, each with ms, cpu_ms, frames_per_s, share,
    limit, limit_frames_per_s, of_limit, held_back_by; extract: multiply_adds, gflops, of_product, frames_seen; fit;
    label: from decoding to encoding, without fit; end_to_end: with fit; clip_estimate; peak_mib; authors: a list of
    settings, authors, ours, ratio, cosine; variants: a list of changed and all from settings to peak_mib. What was
    measured has median, min, max, runs.
    """

    input: tyro.conf.Positional[Path | None] = None
    """A video file, or a folder of frames. Default: the demo's clip."""
    runs: int = 3
    """How often everything is measured."""
    frames: int | None = None
    """Frames that are worked on. Default: as many as the fit learns from, and eight batches at least."""
    batch_sizes: Numbers = ()
    """Measure with these batch sizes too, as in 1,4: everything once more for each."""
    precisions: Names = ()
    """And in these precisions, as in fp32,bf16."""
    strides: Numbers = ()
    """And with these strides, as in 14,7."""
    load_sizes: Numbers = ()
    """And with these load sizes, as in 224,336,448."""
    refine: RefineSettings = field(default_factory=RefineSettings)
    baseline: bool = True
    """Compare with the authors' arrangement, too."""
    json: Path | None = None
    """Write the figures to this file (.json). With - to standard output, and the table to standard error."""
    quiet: Quiet = False
    """Say nothing but errors and the figures."""

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise SettingsError(f"--runs must be at least 1, got {self.runs}")
        if self.frames is not None and self.frames < 1:
            raise SettingsError(f"--frames must be at least 1, got {self.frames}")
        if unknown := [name for name in self.precisions if name not in get_args(Precision)]:
            raise SettingsError(f"--precisions: {unknown[0]} is none of {', '.join(get_args(Precision))}")
        for option, numbers in (
            ("--batch-sizes", self.batch_sizes),
            ("--strides", self.strides),
            ("--load-sizes", self.load_sizes),
        ):
            if any(number < 1 for number in numbers):
                raise SettingsError(f"{option} must be positive, got {','.join(map(str, numbers))}")
        refuse_idle_refinement(self.refine, PRESETS[self.preset].refine)

    def run(self) -> None:
        """Run the command."""
        from videoparts.sources import open_source
        from videoparts.vit.extractor import ViTExtractor, load_model

        from ..benchmarks.flops import VitShape
        from ..benchmarks.session import Session
        from ..loading import loaded
        from .demo import demo_clip

        check_json(self.json)
        terminal = Terminal(self.quiet)
        clip = open_source(self.input or demo_clip(), self.source)
        terminal.note(*clip.notes)
        extractor = loaded(self.extractor, self.compute, terminal)
        variants = self._variants(extractor)
        shape = VitShape.of(load_model(self.extractor.model, self.compute)[0])
        fit = PRESETS[self.preset].fit
        options = MaskOptions(self.preset, self.source, self.extractor, self.compute, fit, self.refine)
        total = self.runs * (1 + sum(not one.same for one in variants) + (2 if self.baseline else 0))
        with terminal.bar("benchmark", total, unit="run") as advance:
            frames = self.frames or max(fit.frames, _BATCHES * extractor.batch_size)
            session = Session(clip, frames, self.runs, options, advance)
            first = session.measured(extractor, shape)
            others = [
                (one.name, first if one.same else session.measured(ViTExtractor(one.extractor, one.compute), shape))
                for one in variants
            ]
            compared = list(session.compared()) if self.baseline else []
        terminal.note(*clip.notes)
        if self.baseline and not compared:
            terminal.note(f"{self.extractor.model} rotates by positions, which the authors' code cannot: no baseline")
        self._tell(clip, first, others, compared)

    def _variants(self, base: ViTExtractor) -> list[_Variant]:
        """What is measured besides. What is wrong with one is said before anything is."""
        from videoparts.grid import Grid
        from videoparts.vit.precision import precision_name

        wanted: list[tuple[str, ExtractorSettings, ComputeSettings]] = [
            *((f"stride {n}", replace(self.extractor, stride=n), self.compute) for n in self.strides),
            *((f"load size {n}", replace(self.extractor, load_size=n), self.compute) for n in self.load_sizes),
            *((f"batch size {n}", self.extractor, replace(self.compute, batch_size=n)) for n in self.batch_sizes),
            *(
                (name, self.extractor, replace(self.compute, precision=cast("Precision", name)))
                for name in self.precisions
            ),
        ]
        mine = base.identity.stride, base.identity.load_size, base.batch_size, base.precision
        found = []
        for name, extractor, compute in wanted:
            stride = extractor.stride or base.patch_size
            precision = precision_name(compute, base.device)
            Grid.fit((1, 1), extractor.load_size, base.patch_size, stride)
            same = (stride, extractor.load_size, compute.batch_size or base.batch_size, precision) == mine
            found.append(_Variant(name, extractor, compute, same))
        return found

    def _tell(
        self, clip: Source, first: Measured, others: list[tuple[str, Measured]], compared: list[Compared]
    ) -> None:
        """The table, and the figures where they are wanted."""
        from ..benchmarks.machine import machine
        from ..benchmarks.report import compared_report, measured_report
        from ..benchmarks.table import comparison_lines, lines_of, variant_lines

        about, info = machine(first.used.device), clip.info
        hardware = about["gpu"] or f"{about['processor']}, {about['threads']} of {about['cores']} cores"
        lines = [
            f"{hardware}; {self.extractor.model}, {first.used.in_short}; {first.frames} frames of {info.width} x "
            f"{info.height}, median of {self.runs} runs",
            "",
            *lines_of(first),
        ]
        if others:
            lines += ["", *variant_lines([("as above", first), *others])]
        if compared:
            lines += ["", *comparison_lines(compared)]
        if self.json != STDOUT:
            print("\n".join(lines))
        elif not self.quiet:
            print("\n".join(lines), file=sys.stderr)
        if self.json is None:
            return
        report = {
            "machine": about,
            "clip": {
                "name": info.path.name,
                "height": info.height,
                "width": info.width,
                "frames": info.frames,
                "decoder": clip.decoder,
            },
            "runs": self.runs,
            **measured_report(first),
            "authors": [compared_report(one) for one in compared],
            "variants": [{"changed": name, **measured_report(one)} for name, one in others],
        }
        write_report(report, self.json)


@dataclass(frozen=True)
class _Variant:
    """Settings, one of which may be other than the command line says."""

    name: str
    extractor: ExtractorSettings
    compute: ComputeSettings
    same: bool  # as the command line says after all
