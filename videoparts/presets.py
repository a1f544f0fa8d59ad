"""Sets of defaults for the whole chain: how much time a frame may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from .config import ComputeSettings, ExtractorSettings, FitSettings, RefineSettings

PresetName = Literal["fast", "balanced", "best"]


@dataclass(frozen=True)
class Preset:
    """Settings that go together.

    ::

        best = PRESETS["best"]
        extractor = ViTExtractor(best.extractor, best.compute)
        parts = fit_parts(source, extractor, best.fit, keys=best.refine.keys)
        masks = segment(source, extractor, parts, best.refine)
    """

    extractor: ExtractorSettings = field(default_factory=ExtractorSettings)
    fit: FitSettings = field(default_factory=FitSettings)
    refine: RefineSettings = field(default_factory=RefineSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)

    def with_model(self, model: str) -> Preset:
        """The preset for another model: where the stride does not divide its patches, the nearest one that does.

        Raises:
            SettingsError: there is no such model.
        """
        from .vit.naming import patch_size  # loads torch, which a command line must be read without

        wanted = stride = self.extractor.stride
        side = patch_size(model)
        if wanted is not None and side is not None:
            stride = min((d for d in range(1, side + 1) if side % d == 0), key=lambda d: abs(d - wanted))
        return replace(self, extractor=replace(self.extractor, model=model, stride=stride))


DEFAULT: PresetName = "balanced"

# The one place for these numbers. Whatever is not named here has its default in `videoparts.config`, and those
# defaults are `balanced`. `fast` sees frames smaller, and so from farther off, from the start.
PRESETS: Mapping[PresetName, Preset] = {
    "fast": Preset(
        ExtractorSettings(load_size=336),
        FitSettings(frames=12, afar=False),
        RefineSettings(keys=7, tolerance=0.6, window=13, radius=4, eps=3e-5),
        ComputeSettings(precision="quick"),
    ),
    "balanced": Preset(),
    # More frames to fit give it nothing: J is the same or a little lower with twice as many.
    "best": Preset(ExtractorSettings(stride=7, shifted=True), refine=RefineSettings(keys=1)),
}
