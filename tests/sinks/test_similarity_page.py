"""The page of similarity: what it holds, and that it shows it, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from patches import picture

from videoparts.frames import Pixels
from videoparts.grid import Grid
from videoparts.pairs.described import Described, describe
from videoparts.pairs.points import patch_points
from videoparts.sinks.pages.similarity_page import _along_axes, _coded, write_similarity_page
from videoparts.vit.descriptors import unit_length

NASTY = "<img src=x onerror=alert(1)></script><!--\"&'"
SIZES = ((301, 405), (420, 333))  # odd, so that the resized pictures are of other shapes


def made(size: tuple[int, int], seed: int, dimensions: int = 24) -> tuple[Pixels, Described]:
    """A picture and descriptors that say where a patch is, as directions in the plane of the first two axes."""
    grid = Grid.fit(size, 112, 14, 7)
    points = patch_points(grid, size) / size[::-1]
    random = torch.Generator().manual_seed(seed)
    n = len(points)
    angle = torch.from_numpy(points[:, 0] * 2).float()
    heights = torch.from_numpy(points[:, 1] * 2).float()
    rows = torch.stack([angle.cos(), angle.sin(), heights.cos(), heights.sin()], dim=1)
    rows = torch.cat([rows, 0.02 * torch.randn(n, dimensions - 4, generator=random)], dim=1)
    ones = torch.ones(n)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3)).astype(np.uint8)
    return pixels, Described(unit_length(rows), ones, ones > 0, grid, size)


@pytest.mark.parametrize("dimensions", [24, 700])
def test_cosines_survive(dimensions: int) -> None:
    sides = [made(size, seed, dimensions)[1].descriptors for seed, size in enumerate(SIZES)]
    coded = [_coded(rows) for rows in _along_axes(sides)]
    assert all(numbers.dtype == np.int8 and numbers.shape[1] <= 256 for numbers, _ in coded)
    one, other = (numbers.astype(np.float64) * scale[:, None] for numbers, scale in coded)
    true = (sides[0] @ sides[1].T).numpy()
    assert np.abs(one @ other.T - true).max() < 0.015


def test_a_click_shows_the_patch_that_is_most_alike(browser: Any, tmp_path: Path) -> None:
    (pixels_a, a), (pixels_b, b) = (made(size, seed) for seed, size in enumerate(SIZES))
    path = tmp_path / "sim.html"
    write_similarity_page(path, [NASTY, "b"], [pixels_a, pixels_b], [a, b], (60.25, 200))
    assert [one.name for one in tmp_path.iterdir()] == ["sim.html"]
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    requests, complaints = [], []
    context.on("request", lambda request: requests.append(request.url[:40]))
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.accept()))
    page.goto(path.as_uri())
    page.locator("body[data-ready=yes]").wait_for()

    def told() -> tuple[float, ...]:
        text = page.locator("#status").inner_text()
        x, y = re.match(r"([\d.]+), ([\d.]+) of", text).groups()  # type: ignore[union-attr]
        u, v, cosine = re.search(r"is ([\d.]+), ([\d.]+), cosine ([\d.]+)$", text).groups()  # type: ignore[union-attr]
        return tuple(map(float, (x, y, u, v, cosine)))

    def check(one: Described, other: Described) -> None:
        x, y, u, v, cosine = told()
        nearest = np.linalg.norm(one.points - (x, y), axis=1).argmin()
        cosines = (other.descriptors @ one.descriptors[nearest]).numpy()
        told_patch = np.linalg.norm(other.points - (u, v), axis=1)
        assert told_patch.min() < 0.1  # the centre of a patch, rounded to a tenth
        assert cosines[told_patch.argmin()] > cosines.max() - 0.02
        assert cosine == pytest.approx(cosines.max(), abs=0.02)

    assert told()[:2] == (60.2, 200.0) or told()[:2] == (60.3, 200.0)
    check(a, b)
    boxes = page.locator(".picture")
    for k, (one, other) in enumerate(((a, b), (b, a))):
        frame = boxes.nth(k).bounding_box()
        for x, y in ((0.25, 0.75), (0.9, 0.1)):
            page.mouse.click(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])
            assert told()[0] == pytest.approx(x * one.size[1], abs=1)
            assert told()[1] == pytest.approx(y * one.size[0], abs=1)
            check(one, other)
    before = told()
    page.mouse.move(frame["x"] + 0.5 * frame["width"], frame["y"] + 0.5 * frame["height"])
    assert told() == before
    page.locator("#follow").check()
    page.mouse.move(frame["x"] + 0.4 * frame["width"], frame["y"] + 0.5 * frame["height"])
    assert told()[0] == pytest.approx(0.4 * b.size[1], abs=1)
    boxes.nth(1).focus()
    page.keyboard.press("ArrowRight")
    assert told()[0] == pytest.approx(0.4 * b.size[1] + 7 * b.size[1] / b.grid.width, abs=1)
    shown = page.evaluate(
        """() => [...document.querySelectorAll("canvas")].map((c) =>
            [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data].reduce((s, v) => s + (v > 0), 0))"""
    )
    assert all(count > 1000 for count in shown)
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    context.close()


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    from colours import ColourExtractor

    pictures = [picture([0, 1, 2, 3, 4, 5], 16, 24), picture([5, 3, 1, 0, 2, 4], 64, 80)]
    described = [describe(one, ColourExtractor(), "it") for one in pictures]
    for name in ("one.html", "two.html"):
        write_similarity_page(tmp_path / name, ["a", "b"], pictures, described, None)
    text = (tmp_path / "one.html").read_text()
    assert (tmp_path / "two.html").read_text() == text
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', text)[1])  # type: ignore[index]
    assert [(one["width"], one["rows"]) for one in facts["pictures"]] == [(128, 12), (128, 12)]


def test_the_same_pictures_give_the_same_page(tmp_path: Path) -> None:
    (pixels_a, a), (pixels_b, b) = (made(size, seed, 700) for seed, size in enumerate(SIZES))
    for name in ("one.html", "two.html"):
        write_similarity_page(tmp_path / name, ["a", "b"], [pixels_a, pixels_b], [a, b], None)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
