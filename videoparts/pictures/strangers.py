"""Pictures of a set that show something else than the others (paper, section 4).

What a picture's object looks like as a whole is the mean of its patches' tokens. A picture is a stranger where that is
far from what the set has in common, measured by how far the others are; and where nothing was found in it at all.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np
import numpy.typing as npt

from ..cache import FeatureCache
from ..clock import StageClock
from ..clustering import Floats
from ..features import Extractor, Features
from ..frames import FrameBatch
from ..parts.model import PartModel
from ..sources.base import Source
from .features import on_features

_FAR = 3.5  # robust standard deviations below the median (Iglewicz, Hoaglin: "How to Detect and Handle Outliers", 1993)
_NEAR = 0.1  # a cosine lower by less is no difference: pictures of one thing are all but equal
_NORMAL = 1.4826  # of a median absolute deviation, to a standard deviation
_ROUNDS = 20


def whole_looks(
    pictures: Source,
    extractor: Extractor,
    parts: PartModel,
    *,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
    on_pictures: Callable[[int], None] | None = None,
) -> Floats:
    """What the object of each picture looks like as a whole: (N, D2 / 2) of unit length, or 0 where there is none.

    Args:
        pictures: N of them.
        extractor: the one that made the part model.
        parts: finds the object.
        cache: features that were made already.
        clock: counts the time of "vit".
        on_pictures: called with the number of pictures that each step has added.

    Raises:
        SourceError: a picture cannot be decoded.
    """

    def look(_: FrameBatch, features: Features) -> Floats:
        assert features.tokens is not None
        lead = (parts.probe.odds(features) / 2).tanh().clamp(min=0)[..., None]
        deeper = features.tokens[..., features.tokens.shape[-1] // 2 :]
        total = (lead * deeper).sum((1, 2))
        length = total.norm(dim=-1, keepdim=True)
        return np.asarray((total / length.clamp(min=1e-6)).float().cpu().numpy())

    found = []
    with closing(on_features(look, pictures, extractor, tokens=True, cache=cache, clock=clock)) as looks:
        for some in looks:
            found.append(some)
            if on_pictures is not None:
                on_pictures(len(some))
    return np.concatenate(found)


def strangers(looks: Floats) -> npt.NDArray[np.bool_]:
    """Which pictures are unlike the others, (N,). At least half of those that show anything are not.

    Args:
        looks: (N, D) of `whole_looks`.
    """
    shows = np.linalg.norm(looks, axis=1) > 0.5
    like = shows.copy()
    for _ in range(_ROUNDS):
        if not like.any():
            break
        centre = looks[like].mean(axis=0)
        cosine = looks @ centre / max(float(np.linalg.norm(centre)), 1e-12)
        middle = np.median(cosine[like])
        spread = _NORMAL * np.median(np.abs(cosine[like] - middle))
        now = shows & (cosine >= min(middle - max(_FAR * spread, _NEAR), np.median(cosine[shows])))
        if (now == like).all():
            break
        like = now
    return np.asarray(~like)
