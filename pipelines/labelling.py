"""Every frame of a run: those that an earlier one has labelled, then the others, which are kept as they come."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Generator
from contextlib import closing

from videoparts.config import RefineSettings
from videoparts.flow.keyframes import interval, surrounding
from videoparts.parts.model import PartModel
from videoparts.reports.joints import JointCounter
from videoparts.results.mask_store import MaskStore
from videoparts.segmentation import segment
from videoparts.sources.base import Source
from videoparts.stream import prefetch

from .chain import Chain
from .result import Entry, kept_entries

_BEFORE = 2  # frames that a joint looks back


def all_entries(
    chain: Chain, source: Source, store: MaskStore, model: PartModel, refine: RefineSettings, *, chances: bool
) -> Generator[Entry, None, None]:
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
    last: deque[int] = deque([-1], maxlen=_reach(refine))
    if done:
        chain.terminal.kept(done)
        with closing(kept_entries(store, source, chances=False)) as kept:
            for masks, joints in kept:
                last.append(int(masks.frames.index[-1]))
                yield masks, joints
    if done and source.info.frames == done:
        return
    # Counted in frames that were decoded: of a damaged file, some between them may be missing.
    first, at = (source.selected.index(index) if index >= 0 else -1 for index in (last[-1], last[0]))
    with closing(labelled(chain, source, model, refine, first + 1, at=max(0, at), chances=chances)) as fresh:
        try:
            for masks, joints in fresh:
                store.write(masks, joints)
                yield masks, joints
        except KeyboardInterrupt:
            kept_so_far = f"after {store.frames} frames" if store.frames else "from the parts that it found"
            raise KeyboardInterrupt(f"stopped; the same command goes on {kept_so_far}") from None
    store.close()


def labelled(
    chain: Chain,
    source: Source,
    model: PartModel,
    refine: RefineSettings,
    first: int = 0,
    stop: int | None = None,
    *,
    at: int | None = None,
    chances: bool,
) -> Generator[Entry, None, None]:
    """The masks of some frames as they would be among all, in order. Those that they depend on are labelled too.

    Args:
        chain: whose extractor is loaded.
        source: the input.
        model: whose parts are labelled, hidden ones too.
        refine: how.
        first: which selected frame is the first,
        stop: and which is the first that is left out. None: to the end.
        at: from where on those before are decoded; None: enough of them, if all can be.
        chances: whether they are wanted.
    """
    begin = max(0, first - _reach(refine)) if at is None else at
    end = None if stop is None else stop + refine.window // 2
    begin, end = surrounding(begin, end, interval(refine.keys, source.info, chain.extractor().device))
    found = prefetch(
        segment(
            source.part(begin, end),
            chain.extractor(),
            model.select(include=range(1, len(model) + 1)),
            refine,
            matte=True,
            chances=chances,
            cache=chain.cache,
            clock=chain.clock,
        )
    )
    counter = JointCounter()
    with closing(found):
        for some in found:
            joints = counter.of(some)
            place = [source.selected.index(index) for index in some.frames.index.tolist()]
            wanted = slice(bisect_left(place, first), None if stop is None else bisect_left(place, stop))
            if len(masks := some[wanted]):
                yield masks, joints[wanted]
            if stop is not None and place[-1] >= stop - 1:
                return


def _reach(refine: RefineSettings) -> int:
    """How many frames before it a frame's masks and joints hang on."""
    return _BEFORE + refine.window // 2
