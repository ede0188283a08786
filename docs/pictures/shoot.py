"""Takes the pictures of the page for README and docs: python docs/pictures/shoot.py [LIBRARY]"""

import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, sync_playwright

HERE = Path(__file__).parent
SONG = HERE.parents[1] / "examples" / "ode_to_joy.ogg"
MARGIN = 16
"""Pixels."""
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


def main() -> None:
    """Start a server, visit it in every size and scheme, and end it."""
    options = ["--library", sys.argv[1]] if len(sys.argv) > 1 else []
    command = [sys.executable, "-m", "timbretree", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=["--no-sandbox", "--mute-audio"]
                )
                for size, (width, height) in SIZES.items():
                    for scheme in ("light", "dark"):
                        shoot(browser, url, f"{size}-{scheme}", width, height, scheme)
        finally:
            server.terminate()


def shoot(browser: Browser, url: str, name: str, width: int, height: int, scheme: str) -> None:
    """All states of the page in one size and scheme."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(".drop")
    keep(page, f"empty-{name}")
    broken = {"name": "notes.mp3", "mimeType": "audio/mpeg", "buffer": b"no sound"}
    page.set_input_files("input[type=file]", [broken])
    page.wait_for_selector(".notice")
    keep(page, f"broken-{name}")
    page.set_input_files("input[type=file]", [SONG])
    page.locator(".file", has_text="heard").first.wait_for()
    page.locator(".file .open").first.click()
    page.wait_for_selector(".play:enabled")
    lane = page.locator('.lane[aria-label^="violin,"]')
    lane.scroll_into_view_if_needed()
    when = page.locator("section", has=page.locator(".sound"))
    when.evaluate(f"node => scrollBy(0, node.getBoundingClientRect().top - {MARGIN})")
    box = lane.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 8)
    page.locator(".glance b").wait_for()
    keep(page, f"lanes-{name}", when if width > 1000 else None)
    page.mouse.move(2, 2)
    time.sleep(0.6)
    if name == "desktop-light":
        page.screenshot(path=HERE / f"whole-{name}.png", full_page=True)
    if len(sys.argv) > 1:
        page.goto(f"{url}#/library?q=violin%20and%20not%20voice")
        page.wait_for_selector(".tracks > li, .count")
        keep(page, f"search-{name}")
        page.goto(f"{url}#/library?q=piano%20and%20clarinit")
        page.wait_for_selector(".wrong pre")
        keep(page, f"wrong-{name}")
    context.close()


def keep(page: Page, name: str, part: Locator | None = None) -> None:
    """One picture of what is on the screen, or of a part of it and what is close around it."""
    time.sleep(0.4)
    box = part and part.bounding_box()
    clip = box and {
        "x": box["x"] - MARGIN,
        "y": box["y"] - MARGIN,
        "width": box["width"] + 2 * MARGIN,
        "height": box["height"] + 2 * MARGIN,
    }
    page.screenshot(path=HERE / f"{name}.png", clip=clip)


if __name__ == "__main__":
    main()
