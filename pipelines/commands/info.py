"""``videoparts info``: what is here to work with."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field

from videoparts import __version__
from videoparts.config import ComputeSettings, ExtractorSettings


@dataclass(frozen=True, kw_only=True)
class Info:
    """Say versions, devices, precision, decoders, and where weights were found."""

    extractor: ExtractorSettings = field(default_factory=ExtractorSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)

    def run(self) -> None:
        """Run the command."""
        for what, value in self._facts():
            print(f"{what:<12}{value}")

    def _facts(self) -> list[tuple[str, str]]:
        import av
        import timm
        import torch

        from videoparts.clustering import faiss_version
        from videoparts.devices import resolve_device
        from videoparts.sources.decord_reader import unavailable
        from videoparts.vit.naming import timm_name
        from videoparts.vit.precision import precision_name
        from videoparts.vit.weights import cache_folder, locate_weights, require_weights

        device = resolve_device(self.compute.device)
        precision = precision_name(self.compute, device)
        hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
        if self.compute.weights is not None:
            require_weights(self.compute.weights)
        weights = self.compute.weights or locate_weights(timm_name(self.extractor.model))
        return [
            ("videoparts", f"{__version__}, Python {platform.python_version()} on {platform.platform(terse=True)}"),
            ("torch", f"{torch.__version__}, timm {timm.__version__}"),
            ("device", f"{device}, {hardware}"),
            ("precision", precision),
            ("faiss", faiss_version() or "missing: pip install 'videoparts[cpu]' or 'videoparts[gpu]'"),
            ("decord", unavailable() or "found"),
            ("PyAV", f"{av.__version__}, FFmpeg's libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"),
            ("model", f"{self.extractor.model}, in timm {timm_name(self.extractor.model)}"),
            ("weights", str(weights)),
            ("cache", str(cache_folder())),
        ]
