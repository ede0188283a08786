"""A browser for the tests of the page: Debian's Chromium, without a screen."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

DESKTOP, PHONE = (1280, 900), (390, 844)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Where there is none the test is skipped, or fails in continuous integration."""
    found = shutil.which("chromium")
    if found is None:
        words = "there is no chromium; on Debian: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(words)
    with sync_playwright() as playwright:
        quiet = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        browser = playwright.chromium.launch(executable_path=found, args=quiet)
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser, url: str, *, size: tuple[int, int] = DESKTOP, scheme: str = "light"
) -> Iterator[Page]:
    """A page in a new window; anything it complains of, the browser's refusals too, is an error."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            complaints.append(said.text)
            if said.type == "error" and "Failed to load resource" not in said.text
            else None
        ),
    )
    page.goto(url)
    yield page
    context.close()
    assert not complaints, complaints
