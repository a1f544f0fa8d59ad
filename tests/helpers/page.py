"""The page that masks are looked at with, driven in a real browser; as a script, how quick it is:

``python tests/helpers/page.py FRAMES HEIGHT WIDTH RATE FOLDER``
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from fractions import Fraction
from pathlib import Path

import media
import numpy as np
from PIL import Image

from videoparts.frames import FrameBatch, VideoInfo
from videoparts.masks import Part, PartMasks
from videoparts.sinks.pages.viewer import Viewer

HEIGHT, WIDTH = 96, 128
MS = Fraction(1, 1000)


def info(path="clip.mp4", **more):
    given = {"height": HEIGHT, "width": WIDTH, "frames": None, "time_base": MS, "rate": Fraction(25)} | more
    return VideoInfo(Path(path), **given)


class Page:
    """An open page. Keeps what it asked the network for, and what it complained of."""

    def __init__(self, browser, path, **more):
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, **more)
        self.requests, self.complaints = [], []
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.accept()))
        self.url = path.as_uri()
        self.page.goto(self.url)
        self.at(0)

    def at(self, frame):
        self.page.wait_for_function("n => viewer.frame === n", arg=frame, polling=5)

    def seek(self, frame):
        """As a drag of the scrubber does."""
        self.page.locator("#scrubber").evaluate(
            "(s, n) => { s.value = n; s.dispatchEvent(new Event('input')); }", frame
        )

    def picture(self):
        """(H, W, 3) uint8: what the canvas shows."""
        return self.now()[1]

    def shown(self):
        """(frame told, its number as the picture has it, its labels), all of one moment."""
        frame, picture, labels = self.now()
        return frame, media.number(picture), labels

    def now(self):
        frame, height, width, raw, labels, place = self.page.evaluate(
            """() => {
                const text = (bytes) => { let s = ""; for (const b of bytes) s += String.fromCharCode(b); return s; };
                const c = document.getElementById("canvas");
                const pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
                const place = document.getElementById("place").textContent;
                return [viewer.frame, c.height, c.width, text(pixels), text(viewer.labels), place];
            }"""
        )
        assert place.startswith(f"{frame + 1} / ")
        rgba = np.frombuffer(raw.encode("latin-1"), np.uint8).reshape(height, width, 4)
        return frame, rgba[..., :3], np.frombuffer(labels.encode("latin-1"), np.uint8).reshape(height, width)

    def names(self):
        return self.page.eval_on_selector_all("input.name", "all => all.map(one => one.value)")

    def edits(self):
        return json.loads(self.page.evaluate("viewer.edits"))["edits"]

    def over(self, x, y):
        """The place in the window of a pixel of the canvas."""
        box = self.page.locator("#canvas").bounding_box()
        return box["x"] + (x + 0.5) * box["width"] / WIDTH, box["y"] + (y + 0.5) * box["height"] / HEIGHT

    def part(self, k):
        return self.page.locator("#list > li").nth(k)

    def close(self):
        self.context.close()
        assert all(url == self.url or url.startswith(("blob:", "data:")) for url in self.requests), self.requests
        assert self.complaints == []


def moving_shapes(n, height, width, ground):
    """Frame ``n`` of a clip for measuring: discs that wander over a textured ground that moves, and their labels."""
    pixels = np.roll(ground, (n, 2 * n), (0, 1))
    labels = np.zeros((height, width), np.uint8)
    y, x = np.ogrid[:height, :width]
    for k in range(1, 7):
        angle = n / 60 + k
        middle = height * (0.5 + 0.3 * np.sin(angle * (1 + k / 7))), width * (0.5 + 0.4 * np.cos(angle))
        disc = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < (height * (0.06 + 0.02 * k)) ** 2
        labels[disc] = k
        pixels[disc] = pixels[disc] // 2 + np.array([20 * k, 128 - 20 * k, 60], np.uint8)
    return pixels, labels


def measured(browser, folder, frames, height, width, rate, seconds):
    """What the sink costs and how the page runs."""
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    ground = np.asarray(Image.fromarray(ground).resize((width, height), Image.Resampling.BICUBIC))
    parts = [Part(k, f"part {k}", (40 * k, 255 - 40 * k, 128)) for k in range(1, 7)]
    like = info(height=height, width=width, rate=Fraction(rate), time_base=Fraction(1, rate))
    cost = 0.0
    with Viewer(folder, like, parts) as sink:
        for n in range(frames):
            pixels, labels = moving_shapes(n, height, width, ground)
            batch = FrameBatch(pixels[None], np.array([n]), np.array([n]), like.time_base)
            start = time.process_time()
            sink.write(PartMasks(batch, labels[None]))
            cost += time.process_time() - start
        start = time.process_time()
    cost += time.process_time() - start
    start = time.perf_counter()
    it = Page(browser, sink.path)
    opening = time.perf_counter() - start
    it.page.keyboard.press("Space")
    it.page.wait_for_function("() => viewer.drawn > 1")
    script = (
        "async ms => { const a = viewer.drawn; await new Promise(d => setTimeout(d, ms)); return viewer.drawn - a; }"
    )
    drawn = it.page.evaluate(script, seconds * 1000)
    it.page.keyboard.press("Space")
    seeks = []
    for n in random.Random(0).sample(range(frames), 10):
        start = time.perf_counter()
        it.page.evaluate(
            "n => { const s = document.getElementById('scrubber'); s.value = n; s.dispatchEvent(new Event('input')); }",
            n,
        )
        it.at(n)
        seeks.append(time.perf_counter() - start)
    it.close()
    return {
        "CPU ms a frame": round(1000 * cost / frames, 2),
        "page, MB": round(sink.path.stat().st_size / 1e6, 2),
        "first frame shown after, s": round(opening, 2),
        f"frames drawn a second, of {rate}": round(drawn / seconds, 1),
        "a seek to anywhere, median ms": round(1000 * float(np.median(seeks))),
    }


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    frames, height, width, rate = map(int, sys.argv[1:5])
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for what, value in measured(chromium, Path(sys.argv[5]), frames, height, width, rate, 8).items():
            print(f"{what}: {value}")
