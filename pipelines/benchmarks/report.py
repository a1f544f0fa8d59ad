"""The figures for programs. Keys stay what they are; see `Benchmark`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .comparison import Compared
from .figures import Figure, rounded
from .limits import Rates
from .measuring import Measured
from .spending import cpus, walls
from .verdict import held_back_by, slowest

_MIB = 2**20
_GIGA = 1e-9


def measured_report(measured: Measured) -> dict[str, Any]:
    """Of one set of settings."""
    extract, label = walls(measured.spent["extract"]), walls(measured.label)
    return {
        "settings": {
            **measured.used.report(),
            "patches": [measured.grid.rows, measured.grid.columns],
            "refine": asdict(measured.refine),
        },
        "frames": measured.frames,
        "limits": {
            "product": {
                "size": measured.product_size,
                "gflops": measured.product.each(_giga).report(),
                **_arrangements(measured.products, "gflops"),
            },
            "copy": {"gb_per_s": measured.copy.each(_giga).report(), **_arrangements(measured.copies, "gb_per_s")},
        },
        "stages": {stage: _stage(measured, stage) for stage in measured.spent},
        "extract": {
            "multiply_adds": measured.multiply_adds,
            "gflops": measured.operations.each(_giga).report(),
            "of_product": measured.of_limit("extract").report(),
            "frames_seen": rounded(measured.seen),
        },
        "fit": {
            "frames": measured.learned_from,
            "s": _seconds(walls(measured.fit)),
            "cpu_s": _seconds(cpus(measured.fit)),
        },
        "label": {
            "ms": label.report(),
            "cpu_ms": cpus(measured.label).report(),
            "frames_per_s": rounded(1000 / label.median),
            "over_extract": label.over(extract).report(),
            "slowest": slowest(measured),
        },
        "end_to_end": {
            "frames": measured.frames,
            "s": _seconds(walls(measured.end_to_end)),
            "cpu_s": _seconds(cpus(measured.end_to_end)),
        },
        "clip_estimate": _clip(measured),
        "peak_mib": _mib(measured.peak),
    }


def compared_report(compared: Compared) -> dict[str, Any]:
    """Of the authors' arrangement and ours at one set of settings."""
    return {
        "settings": {**compared.used.report(), "patches": list(compared.patches)},
        "authors": {
            "ms": compared.theirs.report(),
            "multiply_adds": compared.their_multiply_adds,
            "peak_mib": _mib(compared.peak),
        },
        "ours": {"ms": compared.ours.report(), "multiply_adds": compared.our_multiply_adds},
        "ratio": compared.ratio.report(),
        "cosine": rounded(compared.cosine),
    }


def _stage(measured: Measured, stage: str) -> dict[str, Any]:
    ms, of_limit = walls(measured.spent[stage]), measured.of_limit(stage).median
    return {
        "ms": ms.report(),
        "cpu_ms": cpus(measured.spent[stage]).report(),
        "frames_per_s": rounded(1000 / ms.median),
        "share": rounded(measured.share(stage)),
        "limit": "product" if stage == "extract" else "copy",
        "limit_frames_per_s": rounded(1000 / ms.median / of_limit),
        "of_limit": rounded(of_limit),
        "held_back_by": held_back_by(measured, stage),
    }


def _clip(measured: Measured) -> dict[str, Any] | None:
    frames = measured.clip_frames
    if frames is None:
        return None
    seconds = measured.whole_clip(frames)
    alone = frames * walls(measured.spent["extract"]).median / 1000
    return {"frames": frames, "s": rounded(seconds), "over_extract": rounded(seconds / alone)}


def _arrangements(runs: Sequence[Rates], unit: str) -> dict[str, Any]:
    apart = [rates.apart for rates in runs if rates.apart is not None]
    return {
        f"{unit}_together": Figure(tuple(rates.together for rates in runs)).each(_giga).report(),
        f"{unit}_apart": Figure(tuple(apart)).each(_giga).report() if apart else None,
    }


def _giga(value: float) -> float:
    return value * _GIGA


def _seconds(ms: Figure) -> dict[str, Any]:
    return ms.each(lambda value: value / 1000).report()


def _mib(peak: tuple[int, int] | None) -> dict[str, float] | None:
    return None if peak is None else {"before": rounded(peak[0] / _MIB), "most": rounded(peak[1] / _MIB)}
