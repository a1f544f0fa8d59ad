"""What came out of pass 1 and pass 2, against what is right."""

from __future__ import annotations

import numpy as np
from colours import ColourExtractor, MemorySource

from videoparts.foreground.probe import probe_tensors
from videoparts.frames import Pixels
from videoparts.parts.model import PartModel
from videoparts.parts.tree import tree_tensors
from videoparts.segmentation import segment


def labels_of(source: MemorySource, extractor: ColourExtractor, model: PartModel, **more: object) -> Pixels:
    return np.concatenate([m.labels for m in segment(source, extractor, model, **more)])  # type: ignore[arg-type]


def agreement(labels: Pixels, right: Pixels) -> tuple[float, list[int]]:
    """The smallest intersection over union of a true part with the label that is on most of it; those labels."""
    scores, taken = [], []
    for k in range(1, 4):
        label = int(np.bincount(labels[right == k]).argmax())
        taken.append(label)
        scores.append(((labels == label) & (right == k)).sum() / ((labels == label) | (right == k)).sum())
    return float(min(scores)), taken


def assert_same(one: PartModel, other: PartModel) -> None:
    """Bit for bit."""
    tensors, others = (probe_tensors(model.probe) | tree_tensors(model.tree) for model in (one, other))
    assert tensors.keys() == others.keys()
    assert all(tensors[name].equal(others[name]) for name in tensors)
    assert (one.parts, one.names, one.identity) == (other.parts, other.names, other.identity)
