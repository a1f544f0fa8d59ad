"""Compare videoparts with the code of the method's authors: do the descriptors agree, and which is faster?

::

    python samples/compare_authors.py agreement --authors DIR --dino DIR [IMAGE ...] [--weights-v1 FILE]
    python samples/compare_authors.py speed     --authors DIR --dino DIR CLIP_OR_FOLDER [--frames N]
            [--runtime NAME] [--precision NAME]

``--authors`` is a checkout of https://github.com/ShirAmir/dino-vit-features, ``--dino`` one of
https://github.com/facebookresearch/dino. Both are read, never changed; none of their code is here. What they need
to run today, and with DINOv2, is patched in memory:

- a model is given to their extractor, which would ask torch.hub for one;
- DINOv2's LayerScale is folded into the layers before it, and then DINOv2 is a plain DINO ViT;
- their saliency stride 8 becomes 7 for patches of 14 pixels;
- pydensecrf2 (``speed`` only, with faiss and matplotlib) keeps its constants in enums: they are put where their
  code looks for them.

``agreement`` compares in fp32 on a CPU with equal weights, prints the mean and minimum cosine of every case and
exits with 1 if a mean is below 0.999. DINOv2's weights are the real ones; DINO's are random unless given.
"""

from __future__ import annotations

import argparse
import copy
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import av
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms.functional import normalize, pil_to_tensor

from videoparts.config import ComputeSettings, ExtractorSettings, Precision, Runtime
from videoparts.vit.extractor import ViTExtractor
from videoparts.vit.naming import Tensors, timm_name
from videoparts.vit.weights import Weights, find_weights, read_weights

REQUIRED = 0.999
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HEADS, DEPTH = 6, 12  # of every ViT-S
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")
# What their part co-segmentation is given in `cosegment`, whatever our defaults are.
AUTHORS_SETTINGS = ("--model", "dinov2_vits14", "--facet", "key", "--stride", "7", "--load-size", "224")
WAYS = {
    "their layer, every frame seen": ("--layer", "11", "--keys", "1"),
    "our layer, every frame seen": ("--keys", "1"),
    "patches seen in turn, every frame": ("--shifted", "--keys", "1"),
    "our defaults but for their settings": (),
}

# (facet, block, binned), compared for each family, stride and shape of image
DESCRIPTORS = (
    ("key", 11, False),
    ("query", 11, False),
    ("value", 11, False),
    ("token", 11, False),
    ("key", 9, False),
    ("token", 9, False),
    ("key", 0, False),
    ("key", 9, True),
    ("key", 11, True),
    ("token", 11, True),
)


@dataclass(frozen=True)
class Family:
    """A ViT-S that both sides can run."""

    model: str
    patch: int
    positions: int  # side of the square of position embeddings
    strides: tuple[int, ...]


FAMILIES = (Family("dino_vits8", 8, 28, (4, 8)), Family("dinov2_vits14", 14, 37, (7, 14)))


# The authors' side


def open_checkouts(authors: Path, dino: Path) -> None:
    """Let ``import extractor`` and ``import vision_transformer`` find the given checkouts."""
    for folder, file in ((authors, "extractor.py"), (dino, "vision_transformer.py")):
        if not (folder / file).is_file():
            sys.exit(f"{folder}: holds no {file}; give the folder of the checkout")
        sys.path.insert(0, str(folder.resolve()))


def authors_model(family: Family, tensors: Tensors) -> Any:
    """DINO's ViT with our weights."""
    import vision_transformer

    model = vision_transformer.vit_small(
        patch_size=family.patch, img_size=[family.positions * family.patch], num_classes=0
    )
    missing, unexpected = model.load_state_dict(fold_layer_scale(tensors), strict=False)
    unknown = [name for name in unexpected if not name.startswith(("head.", "mask_token"))]
    without = [name for name in missing if not name.startswith("norm.")]
    if unknown or without:
        sys.exit(f"the weights do not fit {family.model}: {(unknown + without)[0]}")
    return model.eval()


def fold_layer_scale(tensors: Tensors) -> Tensors:
    """DINOv2 without LayerScale: a scale after a linear layer is a scale of its weight and bias."""
    out = {name: value for name, value in tensors.items() if ".ls" not in name}
    for i in range(DEPTH):
        for scale, layer in (("ls1", "attn.proj"), ("ls2", "mlp.fc2")):
            gamma = tensors.get(f"blocks.{i}.{scale}.gamma")
            if gamma is not None:
                for kind in ("weight", "bias"):
                    name = f"blocks.{i}.{layer}.{kind}"
                    out[name] = tensors[name] * (gamma[:, None] if kind == "weight" else gamma)
    return out


def authors_descriptors(extractor: Any, image: torch.Tensor, facet: str, block: int, binned: bool) -> torch.Tensor:
    """(h * w, D) with the dimensions in our order: theirs runs over a head's dimensions first, then over heads."""
    found = extractor.extract_descriptors(normalize(image, MEAN, STD), block, facet, binned)[0, 0]
    heads = 1 if facet == "token" else HEADS
    return found.unflatten(1, (17 if binned else 1, -1, heads)).transpose(2, 3).flatten(1)


def authors_attention(extractor: Any, image: torch.Tensor) -> torch.Tensor:
    """(heads, h * w): the [CLS] rows of the last block's attention matrices."""
    return extractor._extract_features(normalize(image, MEAN, STD), [DEPTH - 1], "attn")[0][0, :, 0, 1:]


# Agreement


def random_weights(family: Family, seed: int = 0) -> Tensors:
    """Weights of a ViT-S large enough that attention is far from flat and every token matters."""
    import vision_transformer

    model = vision_transformer.vit_small(
        patch_size=family.patch, img_size=[family.positions * family.patch], num_classes=0
    )
    generator = torch.Generator().manual_seed(seed)

    def draw(name: str, tensor: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(tensor.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            return 1 + 0.1 * noise
        if tensor.ndim < 2 or name == "cls_token":
            return 0.1 * noise
        if name == "pos_embed":
            return 0.5 * noise
        gain = 1.5 if "qkv" in name else 1.0
        return noise * gain / math.sqrt(tensor[0].numel())

    return {name: draw(name, tensor) for name, tensor in model.state_dict().items()}


def family_weights(family: Family, file: Path | None) -> Weights:
    """The real weights of DINOv2; for DINO those of a file, else random ones."""
    if file is not None:
        return Weights(read_weights(file), str(file))
    if family.model == "dino_vits8":
        return Weights(random_weights(family), "random, seed 0")
    return find_weights(timm_name(family.model))


def pictures(files: Sequence[Path], patch: int, stride: int) -> Iterator[tuple[str, torch.Tensor]]:
    """One square and one wide picture (1, 3, H, W) in 0..1, of sizes that patches at this stride cover exactly."""
    for k, (shape, steps) in enumerate({"square": (15, 15), "wide": (9, 21)}.items()):
        height, width = (patch + n * patch for n in steps)
        if files:
            image = Image.open(files[k % len(files)]).convert("RGB")
            scale = max(height / image.height, width / image.width)
            image = image.resize((math.ceil(image.width * scale), math.ceil(image.height * scale)), Image.LANCZOS)
            top, left = (image.height - height) // 2, (image.width - width) // 2
            tensor = pil_to_tensor(image)[None, :, top : top + height, left : left + width] / 255
        else:
            coarse = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(k))
            tensor = F.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
        yield shape, tensor


@torch.no_grad()
def agreement(args: argparse.Namespace) -> int:
    """Print the table; 1 if any mean is below `REQUIRED`."""
    open_checkouts(args.authors, args.dino)
    from extractor import ViTExtractor as AuthorsExtractor

    worst = 1.0
    print(f"{'model':14} {'stride':>6} {'image':14} {'what':22} {'mean':>9} {'minimum':>9}")
    for family in FAMILIES:
        weights = family_weights(family, args.weights_v1 if family.model == "dino_vits8" else None)
        for stride in family.strides:
            theirs = AuthorsExtractor("dino_vits8", stride, authors_model(family, weights.tensors), "cpu")
            ours = cache(lambda *case, f=family, s=stride, w=weights: our_extractor(f, s, w, *case))
            for shape, image in pictures(args.images, family.patch, stride):
                size = f"{shape} {image.shape[2]}x{image.shape[3]}"
                for facet, block, binned in DESCRIPTORS:
                    found = ours(facet, block, binned).describe(image).descriptors[0].flatten(0, 1)
                    wanted = authors_descriptors(theirs, image, facet, block, binned)
                    cosines = F.cosine_similarity(found, wanted)
                    what = f"{facet}, block {block}{', binned' if binned else ''}"
                    worst = min(worst, report(family.model, stride, size, what, cosines))
                looks = ours("key", 11, False).describe(image, attention=True).attention
                assert looks is not None
                cosines = F.cosine_similarity(looks[0].flatten(1), authors_attention(theirs, image))
                worst = min(worst, report(family.model, stride, size, "[CLS] attention", cosines))
    print(f"lowest mean {worst:.6f}, required {REQUIRED}")
    return 0 if worst >= REQUIRED else 1


def our_extractor(family: Family, stride: int, weights: Weights, facet: Any, block: int, binned: bool) -> ViTExtractor:
    """Ours, in fp32 on a CPU."""
    settings = ExtractorSettings(model=family.model, layer=block, facet=facet, stride=stride, binned=binned)
    return ViTExtractor(settings, ComputeSettings(device="cpu", precision="fp32"), weights=weights)


def report(model: str, stride: int, size: str, what: str, cosines: torch.Tensor) -> float:
    """Print one case; its mean."""
    mean = float(cosines.double().mean())
    print(f"{model:14} {stride:6} {size:14} {what:22} {mean:9.6f} {float(cosines.min()):9.6f}", flush=True)
    return mean


# Speed


def speed(args: argparse.Namespace) -> int:
    """Both sides in processes of their own, start-up included, on the same frames in a temporary folder."""
    open_checkouts(args.authors, args.dino)
    with tempfile.TemporaryDirectory() as temporary:
        frames = Path(temporary, "frames")
        frames.mkdir()
        count = write_frames(args.clip, frames, args.frames)
        here = [sys.executable, str(Path(__file__).resolve())]
        checkouts = ["--authors", str(args.authors), "--dino", str(args.dino)]
        theirs = seconds([*here, "cosegment", *checkouts, str(frames)]) / count
        print(f"authors' part co-segmentation {theirs:8.3f} s a frame, {count} frames", flush=True)
        how = [*AUTHORS_SETTINGS, "--runtime", args.runtime, "--precision", args.precision]
        command = [sys.executable, "-m", "videoparts.pipelines.main", "overlay", str(frames), *how]
        for name, way in WAYS.items():
            output = str(Path(temporary, f"{name}.mp4"))
            ours = seconds([*command, *way, "-o", output]) / count
            print(f"videoparts overlay, {name:24}{ours:8.3f} s a frame, ratio {theirs / ours:.1f}", flush=True)
    return 0


def write_frames(clip: Path, folder: Path, limit: int | None) -> int:
    """The first frames of a video, or of a folder of images, as PNG files; how many they are."""
    count = 0
    for image in read_images(clip):
        if count == limit:
            break
        image.save(folder / f"{count:05d}.png")
        count += 1
    if not count:
        sys.exit(f"{clip}: holds no frames")
    return count


def read_images(clip: Path) -> Iterator[Image.Image]:
    """The frames of a video or of a folder, in order."""
    if clip.is_dir():
        for file in sorted(clip.iterdir()):
            if file.suffix.lower() in IMAGE_ENDINGS:
                yield Image.open(file).convert("RGB")
    else:
        with av.open(str(clip)) as container:
            for frame in container.decode(video=0):
                yield frame.to_image()


def seconds(command: list[str]) -> float:
    """The wall time of a command that must succeed."""
    start = time.perf_counter()
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start


@torch.no_grad()
def cosegment(args: argparse.Namespace) -> int:
    """The authors' part co-segmentation of a folder of frames: one side of `speed`."""
    open_checkouts(args.authors, args.dino)
    restore_densecrf_constants()
    import extractor
    import part_cosegmentation

    family = FAMILIES[1]
    model = authors_model(family, find_weights(timm_name(family.model)).tensors)

    class DINOv2Extractor(extractor.ViTExtractor):
        def __init__(self, model_type: str, stride: int, device: str) -> None:
            super().__init__(model_type, min(stride, 7), copy.deepcopy(model), device)

    part_cosegmentation.ViTExtractor = DINOv2Extractor
    files = sorted(file for file in args.clip.iterdir() if file.suffix.lower() in IMAGE_ENDINGS)
    parts, _ = part_cosegmentation.find_part_cosegmentation(files, load_size=224, stride=7)
    print(f"{len(parts)} frames done")
    return 0


def restore_densecrf_constants() -> None:
    """Put pydensecrf2's enum members where pydensecrf had constants."""
    import pydensecrf.densecrf as densecrf

    for enum in (densecrf.KernelType, densecrf.NormalizationType):
        for name, member in enum.__members__.items():
            setattr(densecrf, name, member)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    checkouts = argparse.ArgumentParser(add_help=False)
    checkouts.add_argument("--authors", type=Path, required=True, help="checkout of ShirAmir/dino-vit-features")
    checkouts.add_argument("--dino", type=Path, required=True, help="checkout of facebookresearch/dino")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="{agreement,speed}")
    command = commands.add_parser("agreement", parents=[checkouts])
    command.add_argument("images", type=Path, nargs="*", help="photographs; generated ones without")
    command.add_argument("--weights-v1", type=Path, help="weights of dino_vits8; random ones without")
    command.set_defaults(run=agreement)
    command = commands.add_parser("speed", parents=[checkouts])
    command.add_argument("clip", type=Path, help="a video or a folder of frames")
    command.add_argument("--frames", type=int, help="take the first N frames only")
    command.add_argument("--runtime", choices=get_args(Runtime), default="torch", help="of videoparts")
    command.add_argument("--precision", choices=get_args(Precision), default="auto", help="of videoparts")
    command.set_defaults(run=speed)
    command = commands.add_parser("cosegment", parents=[checkouts])
    command.add_argument("clip", type=Path)
    command.set_defaults(run=cosegment)
    args = parser.parse_args(argv)
    return int(args.run(args))


if __name__ == "__main__":
    sys.exit(main())
