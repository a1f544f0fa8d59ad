"""Overlay videos of clips."""

from __future__ import annotations

from videoparts.config import OverlaySettings
from videoparts.sinks.videos.overlay_video import OverlayVideo


def write(path, made, only=slice(None), batch=4, **settings):
    with OverlayVideo(path, like=made.info, settings=OverlaySettings(**settings)) as sink:
        for masks in made.masks(batch, only):
            sink.write(masks)
    return sink
