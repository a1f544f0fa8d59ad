"""Every frame of a run: those that an earlier one has labelled, then the others, which are kept as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing

from videoparts.config import RefineSettings
from videoparts.joints import JointCounter
from videoparts.mask_store import MaskStore
from videoparts.masks import PartMasks
from videoparts.parts import PartModel
from videoparts.segmentation import segment
from videoparts.sources.base import Source
from videoparts.sources.rest import Rest
from videoparts.stream import prefetch

from .chain import Chain
from .result import Entry, kept_entries

_BEFORE = 2  # frames that a joint looks back


def all_entries(
    chain: Chain, source: Source, store: MaskStore, model: PartModel, refine: RefineSettings, *, chances: bool
) -> Iterator[Entry]:
    """The masks of every frame, in order. What is new is written to the store.

    Whether frames come from the store or are labelled now makes no difference to them.

    Args:
        chain: whose extractor is loaded if there is a frame to label.
        source: the input.
        store: of this input and these settings.
        model: whose parts are labelled, hidden ones too.
        refine: how.
        chances: whether they are kept.
    """
    done = store.frames
    last: deque[PartMasks] = deque(maxlen=_BEFORE)
    if done:
        chain.terminal.note(f"{done} frames are labelled already, by an earlier run")
        with closing(kept_entries(store, source, chances=False)) as kept:
            for masks, joints in kept:
                last.append(masks)
                yield masks, joints
    if done and source.info.frames == done:
        return
    counter = JointCounter()
    for masks in last:
        counter.add(masks.frames.pixels[0], masks.labels[0])
    before = min(done, refine.window // 2)  # labelled again, since those after depend on them
    labelled = prefetch(
        segment(
            Rest(source, done - before),
            chain.extractor(),
            model.select(include=range(1, len(model) + 1)),
            refine,
            matte=True,
            chances=chances,
            cache=chain.cache,
            clock=chain.clock,
        )
    )
    with closing(labelled):
        try:
            for some in labelled:
                masks, before = some[before:], max(0, before - len(some))
                if not len(masks):
                    continue
                joints = [counter.add(*one) for one in zip(masks.frames.pixels, masks.labels, strict=True)]
                store.write(masks, joints)
                yield masks, joints
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped; the same command goes on after {store.frames} frames") from None
    store.close()
