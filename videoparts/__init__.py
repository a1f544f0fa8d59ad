"""Consistent part masks of the animal, person or thing in a video: no training, no prompts, no labels.

::

    from videoparts import ViTExtractor, OverlayVideo, fit_parts, open_source, segment

    source = open_source("clip.mp4")
    extractor = ViTExtractor()
    parts = fit_parts(source, extractor)                        # pass 1: sampled frames
    with OverlayVideo("parts.mp4", like=source.info) as sink:   # pass 2: every frame
        for masks in segment(source, extractor, parts):         # labels (N, H, W): 0 background, 1..P parts
            sink.write(masks)

Names are imported when they are first used: ``import videoparts`` itself loads neither torch nor a decoder.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cache import FeatureCache as FeatureCache
    from .clock import StageClock as StageClock
    from .config import ComputeSettings as ComputeSettings
    from .config import ExtractorSettings as ExtractorSettings
    from .config import FitSettings as FitSettings
    from .config import OverlaySettings as OverlaySettings
    from .config import RefineSettings as RefineSettings
    from .config import SourceSettings as SourceSettings
    from .errors import VideoPartsError as VideoPartsError
    from .evaluation.folders import ClipScores as ClipScores
    from .evaluation.folders import evaluate_folders as evaluate_folders
    from .features import Features as Features
    from .fit import fit_parts as fit_parts
    from .frames import FrameBatch as FrameBatch
    from .frames import VideoInfo as VideoInfo
    from .masks import Part as Part
    from .masks import PartMasks as PartMasks
    from .parts.model import PartModel as PartModel
    from .pictures.cosegment import fit_pictures as fit_pictures
    from .pictures.saved_features import load_features as load_features
    from .segmentation import segment as segment
    from .sinks.images.label_images import LabelImages as LabelImages
    from .sinks.videos.overlay_video import OverlayVideo as OverlayVideo
    from .sources import open_source as open_source
    from .sources.base import Source as Source
    from .stream import prefetch as prefetch
    from .vit.extractor import ViTExtractor as ViTExtractor

__version__ = "0.1.0"

_HOMES = {
    "FeatureCache": "cache",
    "StageClock": "clock",
    "ComputeSettings": "config",
    "ExtractorSettings": "config",
    "FitSettings": "config",
    "OverlaySettings": "config",
    "RefineSettings": "config",
    "SourceSettings": "config",
    "fit_pictures": "pictures.cosegment",
    "VideoPartsError": "errors",
    "ClipScores": "evaluation.folders",
    "evaluate_folders": "evaluation.folders",
    "Features": "features",
    "fit_parts": "fit",
    "FrameBatch": "frames",
    "VideoInfo": "frames",
    "Part": "masks",
    "PartMasks": "masks",
    "PartModel": "parts.model",
    "load_features": "pictures.saved_features",
    "segment": "segmentation",
    "LabelImages": "sinks.images.label_images",
    "OverlayVideo": "sinks.videos.overlay_video",
    "open_source": "sources",
    "Source": "sources.base",
    "prefetch": "stream",
    "ViTExtractor": "vit.extractor",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
