"""How a batch would run on many GPUs, and where it stops scaling: a simulation of its stages.

    python samples/scaling.py [--gpus 1 8 32 100] [--clips 1000] [--frames 750] [--decoders 1] [--writers 8] ...

Every clip is looked at by the driver, fitted by one extractor, cut into pieces, and labelled by any; each extractor has
a decoding worker of its own; the masks come back to the driver, whose processes write formats, page and report. A piece
takes as long as the slowest of its extractor, its decoder, and the network's share: they work at the same time. Costs
are those of `stage_costs.py` for 1280 x 720 on a core of the machine that the README names; what a GPU does in a second
is assumed, not measured: give your own.
"""

from __future__ import annotations

import argparse
import heapq
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """Of a frame, where nothing else is said; seconds are those of one core."""

    gpu_rate: float = 65.0  # frames a second that an extractor labels: an assumption
    decode: float = 0.003
    write: float = 0.021
    fit: float = 5.0  # seconds a clip, on its extractor: an assumption
    look: float = 0.1  # seconds a clip, in the driver
    decoded: float = 2_764_800  # bytes
    masks: float = 14_000  # bytes
    network: float = 1.25e9  # bytes a second that a node takes, 10 Gbit/s
    per_node: int = 8  # GPUs of a node
    edge: int = 10  # frames that a piece is labelled more
    opening: float = 1.0  # seconds to open a clip for a piece


@dataclass(frozen=True)
class Outcome:
    """How a batch went."""

    seconds: float
    labelled: float  # when the last piece was there
    gpus_busy: float  # share of their time until then
    writers_busy: float  # share of their time
    driver_bytes: float  # a second, on average, that came to the driver


def simulate(
    costs: Costs, gpus: int, clips: list[int], length: int = 256, decoders: float = 1.0, writers: int = 8
) -> Outcome:
    """Run a batch.

    Args:
        costs: of the stages.
        gpus: extractors.
        clips: frames of each.
        length: frames of a piece.
        decoders: cores that decode for each extractor.
        writers: processes of the driver that write.
    """
    share = min(1.0, costs.network / (costs.per_node * costs.gpu_rate * costs.decoded))
    frame = max(1 / (costs.gpu_rate * share), costs.decode / decoders)
    free = [(0.0, k) for k in range(gpus)]  # when each extractor is
    heapq.heapify(free)
    looked = busy = 0.0
    done: list[tuple[float, int]] = []  # when each clip's masks are there, and its frames
    pieces: deque[tuple[float, int, int]] = deque()  # from when on, frames, clip
    waiting = deque(enumerate(clips))
    left = [0] * len(clips)
    ends = [0.0] * len(clips)
    while pieces or waiting:
        now, gpu = heapq.heappop(free)
        ready = next((piece for piece in pieces if piece[0] <= now), None)
        if ready is None and waiting:
            clip, frames = waiting.popleft()
            looked += costs.look
            start = max(now, looked)
            end = start + costs.opening + costs.fit
            busy += end - start
            for first in range(0, frames, length):
                pieces.append((end, min(length, frames - first), clip))
                left[clip] += 1
        else:
            ready = ready or min(pieces)
            pieces.remove(ready)
            start = max(now, ready[0])
            end = start + costs.opening + (ready[1] + costs.edge) * frame
            busy += end - start
            left[ready[2]] -= 1
            ends[ready[2]] = max(ends[ready[2]], end)
            if left[ready[2]] == 0:
                done.append((ends[ready[2]], clips[ready[2]]))
        heapq.heappush(free, (end, gpu))
    labelled = max(ends)
    writing = [0.0] * writers
    heapq.heapify(writing)
    spent = 0.0
    for at, frames in sorted(done):
        start = max(heapq.heappop(writing), at)
        spent += frames * costs.write
        heapq.heappush(writing, start + frames * costs.write)
    seconds = max(writing)
    return Outcome(
        seconds, labelled, busy / (gpus * labelled), spent / (writers * seconds), sum(clips) * costs.masks / labelled
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 32, 100, 300])
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=750, help="of each clip")
    parser.add_argument("--length", type=int, default=256, help="of a piece")
    parser.add_argument("--decoders", type=float, default=1.0, help="cores that decode for each GPU")
    parser.add_argument("--writers", type=int, default=8, help="processes of the driver that write")
    for name in ("gpu_rate", "decode", "write", "fit", "network"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(Costs, name))
    given = parser.parse_args()
    costs = Costs(given.gpu_rate, given.decode, given.write, given.fit, network=given.network)
    clips = [given.frames] * given.clips
    print(f"{sum(clips)} frames in {len(clips)} clips; pieces of {given.length}")
    print("GPUs   seconds   frames/s   of ideal   GPUs busy   writers busy   MB/s to the driver")
    for gpus in given.gpus:
        out = simulate(costs, gpus, clips, given.length, given.decoders, given.writers)
        rate = sum(clips) / out.seconds
        print(
            f"{gpus:4}{out.seconds:10.0f}{rate:11.0f}{rate / (gpus * costs.gpu_rate):11.0%}{out.gpus_busy:12.0%}"
            f"{out.writers_busy:15.0%}{out.driver_bytes / 1e6:21.1f}"
        )


if __name__ == "__main__":
    main()
