"""Do mutual nearest neighbours agree with those of the paper's authors' code, and how much faster are they found?

::

    python samples/compare_correspondences.py --authors DIR --dino DIR A.jpg B.jpg [--model dinov2_vits14]

What the checkouts are, and what is patched in memory so that they run, is told in `compare_authors.py`; their module
also imports matplotlib, of which nothing is used: an empty one takes its place where it is not installed.

Both sides see the same two pictures in fp32 with equal weights and the authors' settings: short side 224 unless told
otherwise, keys of block 9 with their surroundings, stride 4 (DINO) or 7 (DINOv2). Agreement is the pairs that both find
over the pairs that either finds. Times are of this one run: from descriptors to pairs, and with the ViT. At 224 their
loop takes five minutes of a processor and 1.4 GB (dinov2_vits14). Exits with 1 if agreement is below 0.95 or the pairs
are found less than 20 times faster.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch
from compare_authors import FAMILIES, MEAN, STD, authors_model, family_weights, open_checkouts, our_extractor
from torchvision.transforms.functional import normalize

from videoparts.pairs.mutual import neighbours
from videoparts.resize import resize, unit_range
from videoparts.sources.folder import read_picture

REQUIRED_AGREEMENT, REQUIRED_RATIO = 0.95, 20
BLOCK = 9

T = TypeVar("T")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call gives, and its seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def authors_matching() -> Any:
    """Their module of correspondences."""
    if find_spec("matplotlib") is None:
        names = ("matplotlib", "matplotlib.pyplot", "matplotlib.colors")
        empty = {name: types.ModuleType(name) for name in names}
        empty["matplotlib.pyplot"].Figure = object  # type: ignore[attr-defined] - named in annotations
        empty["matplotlib.colors"].ListedColormap = object  # type: ignore[attr-defined]
        sys.modules.update(empty)
    import correspondences

    return correspondences


def their_pairs(matching: Any, one: torch.Tensor, other: torch.Tensor) -> set[tuple[int, int]]:
    """Best buddies as their `find_correspondences` has them, before it looks at saliency."""
    similarities = matching.chunk_cosine_sim(one, other)
    of_one = similarities.max(dim=-1).indices[0, 0]
    of_other = similarities.max(dim=-2).indices[0, 0]
    mutual = of_other[of_one] == torch.arange(len(of_one))
    return {(int(i), int(of_one[i])) for i in mutual.nonzero()[:, 0]}


def our_pairs(one: torch.Tensor, other: torch.Tensor) -> set[tuple[int, int]]:
    """Ours."""
    found = neighbours(one, other)
    return {(int(i), int(found.of_one[i])) for i in found.mutual()}


@torch.no_grad()
def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--authors", type=Path, required=True, help="checkout of ShirAmir/dino-vit-features")
    parser.add_argument("--dino", type=Path, required=True, help="checkout of facebookresearch/dino")
    parser.add_argument("--model", choices=[family.model for family in FAMILIES], default="dinov2_vits14")
    parser.add_argument("--load-size", type=int, default=224, help="short side; smaller takes far less time and memory")
    parser.add_argument("--weights-v1", type=Path, help="weights of dino_vits8; random ones without")
    parser.add_argument("pictures", type=Path, nargs=2)
    args = parser.parse_args(argv)
    open_checkouts(args.authors, args.dino)
    matching = authors_matching()
    from extractor import ViTExtractor as AuthorsExtractor

    (family,) = (family for family in FAMILIES if family.model == args.model)
    stride = family.strides[0]
    weights = family_weights(family, args.weights_v1 if family.model == "dino_vits8" else None)
    theirs = AuthorsExtractor("dino_vits8", stride, authors_model(family, weights.tensors), "cpu")
    ours = our_extractor(family, stride, weights, "key", BLOCK, True)
    images = []
    for path in args.pictures:
        pixels = torch.from_numpy(read_picture(path))[None]
        scale = args.load_size / min(pixels.shape[1:3])
        # of sizes that patches at this stride cover exactly, so that both see the same
        size = tuple(family.patch + round((n * scale - family.patch) / stride) * stride for n in pixels.shape[1:3])
        images.append(unit_range(resize(pixels, size, "bicubic")))

    described, our_vit = timed(lambda: [ours.describe(image).descriptors[0].flatten(0, 1) for image in images])
    found, our_search = timed(lambda: our_pairs(*described))
    wanted_of, their_vit = timed(
        lambda: [theirs.extract_descriptors(normalize(image, MEAN, STD), BLOCK, "key", True) for image in images]
    )
    wanted, their_search = timed(lambda: their_pairs(matching, *wanted_of))

    agreement = len(found & wanted) / max(1, len(found | wanted))
    search, whole = their_search / our_search, (their_vit + their_search) / (our_vit + our_search)
    print(f"{family.model}, stride {stride}: {len(described[0])} and {len(described[1])} patches, {weights.origin}")
    print(f"mutual pairs: theirs {len(wanted)}, ours {len(found)}, agreement {agreement:.4f}")
    print(f"descriptors to pairs: theirs {their_search:.2f} s, ours {our_search:.3f} s, ratio {search:.0f}")
    print(
        f"with the ViT:         theirs {their_vit + their_search:.2f} s, ours {our_vit + our_search:.2f} s, {whole:.1f}"
    )
    return 0 if agreement >= REQUIRED_AGREEMENT and search >= REQUIRED_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
