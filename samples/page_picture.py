"""A picture of a page that ``videoparts masks`` or ``videoparts batch`` writes, as a browser shows it.

::

    python samples/page_picture.py OUTPUT/viewer.html PICTURE [--frame 60] [--width 1280] [--height 800]
    python samples/page_picture.py OUTPUT/index.html PICTURE

Needs Playwright (of the extra ``test``) and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="A picture of a page, as a browser shows it.")
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path, help=".png or .jpg")
    parser.add_argument("--frame", type=int, default=0)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=660)
    given = parser.parse_args()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": given.width, "height": given.height})
        page.goto(given.page.resolve().as_uri())
        if page.evaluate("typeof viewer !== 'undefined'"):
            _point_at(page, given.frame)
        kind = "jpeg" if given.picture.suffix.lower() in (".jpg", ".jpeg") else "png"
        page.screenshot(path=given.picture, type=kind, **({"quality": 88} if kind == "jpeg" else {}))
        browser.close()


def _point_at(page: Page, frame: int) -> None:
    """Go to a frame of the page of masks, and point at a part."""
    page.wait_for_function("() => viewer.frame === 0")
    for _ in range(frame // 10):
        page.keyboard.press("Shift+ArrowRight")
    for _ in range(frame % 10):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => viewer.frame === {frame}")
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.36, box["y"] + box["height"] * 0.2)
    page.wait_for_timeout(200)


if __name__ == "__main__":
    main()
