"""The figures for people."""

from __future__ import annotations

from collections.abc import Sequence

from ..aligned import aligned
from .comparison import Compared
from .figures import Figure
from .measuring import Measured
from .spending import cpus, walls
from .verdict import held_back_by, slowest

_HEAD = (
    "stage", "frames/s", "limit", "of it", "ms a frame", "lowest-highest", "ms of cores", "of the work", "held back by"
)  # fmt: skip


def lines_of(measured: Measured) -> list[str]:
    """A table of the stages, and what it means."""
    label, cpu = walls(measured.label), cpus(measured.label)
    rows = [
        _HEAD,
        *(_row(measured, stage) for stage in measured.spent),
        ("label, all of it", _rate(1000 / label.median), "", "", *_times(label), _ms(cpu.median), "100 %", ""),
    ]
    return [*aligned(rows, text=(0, len(_HEAD) - 1)), "", *_meaning(measured)]


def comparison_lines(compared: Sequence[Compared]) -> list[str]:
    """A line for each set of settings."""
    head = ("descriptors and saliency of a frame", "authors, ms", "ours, ms", "ratio", "lowest-highest", "cosine")
    rows = [
        (
            one.used.in_short,
            _ms(one.theirs.median),
            _ms(one.ours.median),
            f"{one.ratio.median:.1f}",
            f"{min(one.ratio.runs):.1f}-{max(one.ratio.runs):.1f}",
            f"{one.cosine:.5f}",
        )
        for one in compared
    ]
    note = "authors: fp32, a frame at a time, full attention, all blocks, a second pass for saliency"
    return [*aligned([head, *rows], text=(0,)), note]


def variant_lines(measured: Sequence[tuple[str, Measured]]) -> list[str]:
    """A line for each set of settings, with what differs from the first."""
    head = ("with", "extract, ms", "of the product", "label, ms", "over extract", "fit, s", "memory, MiB")
    rows = [
        (
            name,
            _ms(walls(one.spent["extract"]).median),
            _percent(one.of_limit("extract").median),
            _ms(walls(one.label).median),
            f"{walls(one.label).over(walls(one.spent['extract'])).median:.2f}",
            f"{walls(one.fit).median / 1000:.1f}",
            "-" if one.peak is None else f"+{(one.peak[1] - one.peak[0]) / 2**20:.0f}",
        )
        for name, one in measured
    ]
    return aligned([head, *rows], text=(0,))


def _row(measured: Measured, stage: str) -> tuple[str, ...]:
    ms, of_limit = walls(measured.spent[stage]), measured.of_limit(stage).median
    share = _percent(measured.share(stage))
    return (
        "  resize, in extract" if stage == "resize" else stage,
        _rate(1000 / ms.median),
        _rate(1000 / ms.median / of_limit),
        _percent(of_limit),
        *_times(ms),
        _ms(cpus(measured.spent[stage]).median),
        f"({share})" if stage == "resize" else share,
        held_back_by(measured, stage),
    )


def _meaning(measured: Measured) -> list[str]:
    first, extract, label = slowest(measured), walls(measured.spent["extract"]), walls(measured.label)
    product, side = measured.used.product, measured.product_size
    share = f"{_percent(measured.share(first))} of the work"
    lines = [
        (f"The ViT is {share}; it" if first == "extract" else f"Most of the work is {first}, {share}; the ViT")
        + f" runs at {_percent(measured.of_limit('extract').median)} of this machine's {product} matrix rate "
        f"({measured.product.median / 1e9:.0f} GFLOP/s), with {measured.multiply_adds / 1e9:.1f} G multiply-adds a "
        f"frame of {measured.grid.rows} x {measured.grid.columns} patches",
        f"Limits: for the ViT the product of two {product} matrices of {side} x {side}; for all else the memory, "
        f"{measured.copy.median / 1e9:.1f} GB/s read and written",
        f"From decoding to encoding a frame takes {label.over(extract).median:.2f} times what extraction alone takes"
        + (f"; the ViT sees {_percent(measured.seen)} of the frames" if measured.seen < 1 else ""),
        f"Fit: {walls(measured.fit).median / 1000:.1f} s a clip, from {measured.learned_from} frames; fit and labels "
        f"of {measured.frames} frames: {walls(measured.end_to_end).median / 1000:.1f} s",
    ]
    if measured.clip_frames is not None and measured.clip_frames > measured.frames:
        seconds = measured.whole_clip(measured.clip_frames)
        over = seconds / (measured.clip_frames * extract.median / 1000)
        lines.append(
            f"The clip's {measured.clip_frames} frames take {seconds:.0f} s so, {over:.2f} times what extraction "
            "alone takes"
        )
    if measured.peak is not None:
        before, most = (size / 2**20 for size in measured.peak)
        lines.append(f"Peak memory from end to end: {most:.0f} MiB, {before:.0f} of them before the first frame")
    return lines


def _times(ms: Figure) -> tuple[str, str]:
    return _ms(ms.median), f"{_ms(min(ms.runs))}-{_ms(max(ms.runs))}"


def _rate(frames: float) -> str:
    return f"{frames:.0f}" if frames >= 100 else f"{frames:.1f}" if frames >= 10 else f"{frames:.2f}"


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"
