"""On real footage with real weights, which patches evidence is drawn from decides nothing that a user would notice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from places import SHARED

from videoparts import ViTExtractor, fit_parts, open_source
from videoparts.config import FitSettings
from videoparts.evaluation.metrics import ari, contingency
from videoparts.features import Features
from videoparts.foreground.evidence import Cues
from videoparts.frames import Pixels

FRAMES = FitSettings().frames


class Remembering(ViTExtractor):
    """Keeps the features of the frames that it has seen, so that a second fit costs next to nothing."""

    def afar(self) -> ViTExtractor | None:
        other = super().afar()
        assert isinstance(other, Remembering)
        other.seen = self.seen_from_afar
        return other

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        self.seen: dict[bytes, Features]
        self.seen_from_afar: dict[bytes, Features]
        key = np.asarray(pixels).tobytes()
        if key not in self.seen:
            self.seen[key] = super().extract(pixels, attention=True, tokens=True)
        return self.seen[key]


@pytest.mark.parametrize("name", ["car-shadow", "drift-straight", "kite-surf"])
def test_other_patches_give_the_same_parts(name: str) -> None:
    clip = SHARED / "data/davis" / name / "frames"
    if not clip.is_dir():
        pytest.skip("shared/data is not beside the checkout")
    extractor = Remembering()
    extractor.seen, extractor.seen_from_afar = {}, {}
    labels = []
    for draw in (0, 1, 2):
        model = fit_parts(open_source(clip), extractor, cues=Cues(draw=draw))
        assert len(extractor.seen) == FRAMES  # the same frames each time
        chances = [model.probabilities(features).argmax(1).numpy().ravel() for features in extractor.seen.values()]
        labels.append(np.concatenate(chances).astype(np.uint8))
    for other in labels[1:]:
        table = contingency(labels[0], other)
        assert np.diag(table)[1:].sum() > 0.9 * table[1:, 1:].sum()  # the numbers of the parts, too
        assert ari(table[1:, 1:]) > 0.9
