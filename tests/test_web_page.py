"""The page in a browser: drop a file, see, hear, ask why; what goes wrong says so."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import PHONE, chromium, visit
from serving import ToldCrew, serving, told
from timbretree.web import Access, ServeLimits
from timbretree.writers import WRITERS

SONG = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"
LIMITS = ServeLimits(upload_bytes=1 << 20, waiting_per_client=3)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(ToldCrew(1), tmp_path_factory.mktemp("page"), limits=LIMITS) as (url, _):
        yield url


def drop(page: Page, *files: Path | tuple[str, bytes]) -> None:
    """Choose files, as a click on the button does."""
    page.set_input_files(
        "input[type=file]",
        [
            {"name": file[0], "mimeType": "audio/ogg", "buffer": file[1]}
            if isinstance(file, tuple)
            else {"name": file.name, "mimeType": "audio/ogg", "buffer": file.read_bytes()}
            for file in files
        ],
    )


def heard(page: Page) -> None:
    drop(page, SONG)
    expect(page.locator(".headline")).to_contain_text("Violin")
    expect(page.locator(".play").first).to_be_enabled()


def until(so: Callable[[], bool]) -> None:
    """Wait until something is so; Playwright's own way is what the page's policy forbids."""
    for _ in range(200):
        if so():
            return
        time.sleep(0.05)
    raise AssertionError("it never was")


def painted(page: Page, name: str) -> list[float]:
    """How opaque the lane of an instrument is painted, in 10 places from left to right."""
    script = """(lane) => {
      const canvas = lane.firstChild, pen = canvas.getContext("2d");
      return Array.from({length: 10}, (_, n) => {
        const left = Math.floor(canvas.width * (n + .5) / 10) - 8;
        const {data} = pen.getImageData(left, 0, 16, canvas.height);
        return data.filter((_, i) => i % 4 === 3).reduce((a, b) => a + b) / data.length * 4 / 255;
      });
    }"""
    return page.locator(f'.lane[aria-label^="{name},"]').evaluate(script)


def test_a_song_is_dropped_seen_and_heard(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        expect(page.get_by_role("heading", level=1)).to_contain_text("Which instruments")
        heard(page)
        expect(page.locator(".file .state")).to_have_text("heard")
        # a lane for each instrument, the fuller the more probable
        trumpet, violin = painted(page, "trumpet"), painted(page, "violin")
        assert max(trumpet[:6]) < 0.15 < 0.6 < min(trumpet[8:])
        assert violin[0] < 0.1 < 0.8 < violin[5]
        # unsure lanes have gaps between their lines, at the same probability
        clarinet = page.locator('.lane[aria-label^="clarinet, unsure"] canvas')
        gaps = clarinet.evaluate(
            "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
            ".filter((v, i) => i % 4 === 3 && v === 0).length / (c.width * c.height)"
        )
        assert gaps > 0.2
        # the waveform is drawn
        drawn = "document.querySelector('.wave > div').shadowRoot.querySelectorAll('canvas').length"
        until(lambda: page.evaluate(drawn) > 0)
        # a click plays from there, and the head moves through the lanes
        lane = page.locator('.lane[aria-label^="violin,"]')
        lane.click(position={"x": lane.bounding_box()["width"] * 0.5, "y": 5})  # type: ignore[index]
        expect(page.locator(".play")).to_have_attribute("aria-label", "Pause ode_to_joy.ogg")
        place = "parseFloat(document.querySelector('.head').style.left)"
        until(lambda: page.evaluate(place) > 47)
        first = page.evaluate(place)
        until(lambda: page.evaluate(place) > first + 1)
        page.locator(".play").click()
        expect(page.locator(".play")).to_have_attribute("aria-label", "Play ode_to_joy.ogg")
        # the tree with its bars
        row = page.locator(".tree .row", has_text=re.compile("^●trumpet"))
        expect(row).to_have_class("row heard")
        share = float(row.locator(".bar i").evaluate("bar => parseFloat(bar.style.width)"))
        assert f"{share:.0f}%" == row.locator(".percent").inner_text()
        # what is folded away can be shown
        page.get_by_role("button", name=re.compile("Show .* more")).click()
        expect(page.locator('.lane[aria-label^="banjo"]')).to_be_visible()


def test_why_is_told_of_all_and_of_the_window_under_the_cursor(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        heard(page)
        words = page.locator(".moment")
        expect(words).to_contain_text("All of the recording")
        expect(words).to_contain_text("Bowed strings were heard through violin")
        lane = page.locator('.lane[aria-label^="brass,"]')
        width = lane.bounding_box()["width"]  # type: ignore[index]
        lane.hover(position={"x": width * 0.95, "y": 4})
        expect(page.locator(".bubble")).to_contain_text(re.compile(r"brass · 0:2\d–0:28, \d+%"))
        expect(page.locator(".glance")).to_contain_text("Brass was heard through trumpet (100%")
        expect(words).to_contain_text(re.compile(r"0:2\d–0:28"))
        cell = "tr:has(th:has-text('trumpet')) td.own"
        assert page.locator(cell).evaluate("cell => cell.style.getPropertyValue('--p')") == "1"
        assert page.locator(cell).inner_text() == "100"
        lane.hover(position={"x": width * 0.05, "y": 4})
        expect(page.locator(".glance")).to_contain_text(re.compile("0:00–.*Brass was not heard"))
        page.mouse.move(5, 5)
        expect(words).to_contain_text("All of the recording")


def test_what_was_heard_is_downloaded_in_every_format(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        heard(page)
        for name, writer in WRITERS.items():
            with page.expect_download() as download:
                page.locator(".downloads").get_by_role("button", name=name, exact=True).click()
            assert download.value.suggested_filename == "ode_to_joy.ogg" + writer.suffix
            content = download.value.path().read_bytes()
            assert content
            if name == "json":
                assert json.loads(content)["file"] == "ode_to_joy.ogg"


def test_it_is_used_with_the_keyboard_alone(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        heard(page)
        lanes = page.locator(".lane:visible")
        assert lanes.evaluate_all("all => all.filter((lane) => lane.tabIndex === 0).length") == 1
        page.locator(".play").focus()
        page.keyboard.press("Tab")
        expect(lanes.first).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(lanes.nth(1)).to_be_focused()
        for key, cell in (("End", -1), ("ArrowLeft", -2), ("Home", 0), ("ArrowRight", 1)):
            page.keyboard.press(key)
            spans = page.evaluate("document.querySelectorAll('.lane:focus')[0].ariaValueText")
            starts = page.evaluate("document.activeElement.ariaValueNow")
            assert re.match(r"\d+:\d\d–\d+:\d\d, \d+%", spans), (key, cell)
            assert (float(starts) == 0) == (key == "Home")
        expect(page.locator(".glance b")).to_be_visible()
        page.keyboard.press(" ")
        expect(page.locator(".play")).to_have_attribute("aria-label", re.compile("^Pause"))
        page.keyboard.press(" ")
        expect(page.locator(".play")).to_have_attribute("aria-label", re.compile("^Play"))
        page.keyboard.press("Enter")
        expect(page.locator(".play")).to_have_attribute("aria-label", re.compile("^Pause"))


def test_every_control_has_a_name_and_every_text_enough_contrast(
    browser: Browser, url: str
) -> None:
    script = (Path(__file__).with_name("contrast.js")).read_text("utf-8")
    for scheme in ("light", "dark"):
        with visit(browser, url, scheme=scheme) as page:
            heard(page)
            drop(page, ("broken.mp3", b"no sound"))
            expect(page.locator(".file.bad")).to_be_visible()
            names = page.locator("button, a, input:visible, select, [role=slider]").evaluate_all(
                "all => all.filter(n => !(n.ariaLabel || n.textContent.trim() || n.labels?.length))"
                ".map(n => n.outerHTML)"
            )
            assert not names
            faint = page.evaluate(script)
            assert not faint, (scheme, faint)


def test_progress_and_the_place_in_the_queue_are_live(browser: Browser, url: str) -> None:
    slow = ("slow.ogg", told(seconds=100, steps=40, wait=0.05))
    with visit(browser, url) as page:
        drop(page, slow, ("second.ogg", told()), ("third.ogg", told()))
        states = page.locator(".file")
        expect(states.filter(has_text="slow.ogg")).to_contain_text(re.compile("hearing, 0:[1-9]"))
        expect(states.filter(has_text="second.ogg")).to_contain_text("next in the queue")
        expect(states.filter(has_text="third.ogg")).to_contain_text("in the queue, 1 before it")
        states.filter(has_text="third.ogg").get_by_role("button", name="Remove").click()
        expect(states).to_have_count(2)
        expect(states.filter(has_text="slow.ogg")).to_contain_text(re.compile("hearing, 1:[0-3]"))


BROKEN = (
    ("text.mp3", b"no sound", "no audio or video", "Choose a sound file"),
    ("empty.mp3", b"", "holds no bytes", ""),
    ("huge.wav", bytes(1 << 20) + b"0", "at most 1 MB are taken", "Save it as flac"),
    ("lost.mp3", told(**{"raise": True}), "crashed", "Try it again"),
    ("short.mp3", told(reason="too_short"), "less than 0.1 s", "Choose a longer piece"),
    ("<img src=x onerror=alert(1)>.mp3", b"no sound", "no audio or video", "Choose a sound"),
)


def test_broken_uploads_say_why_and_what_to_do(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        for name, content, words, advice in BROKEN:
            drop(page, (name, content))
            row = page.locator(".file").first
            expect(row).to_have_class("file bad")
            expect(row.locator(".name")).to_have_text(name)
            row.locator(".open").click()
            notice = page.locator(".recording .notice")
            expect(notice).to_contain_text(words)
            expect(notice).to_contain_text(advice)
            expect(page.locator(".headline")).to_have_text("This file could not be heard.")
            assert page.locator("code").inner_text()
        expect(page.locator(".file")).to_have_count(len(BROKEN))


def test_what_was_heard_in_part_or_silent_says_so(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        drop(page, ("cut.ogg", SONG.read_bytes()[:150_000]))
        expect(page.locator(".recording .notice")).to_contain_text("Heard in part.")
        expect(page.locator(".recording .notice")).to_contain_text("If you have a whole copy")
        assert page.locator(".lane:visible").count() > 3
        drop(page, ("quiet.ogg", told(status="ok", reason="silent")))
        page.get_by_role("button", name="quiet.ogg silent").click()
        expect(page.locator(".headline")).to_contain_text("There is nothing to hear")


def test_a_full_queue_is_waited_for(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        slow = told(seconds=10, wait=0.4)
        drop(page, *[(f"{number}.ogg", slow) for number in range(6)])
        expect(page.locator(".file", has_text="tried again in").first).to_be_visible()
        expect(page.locator(".file.bad")).to_have_count(6, timeout=20_000)


def test_a_server_that_is_gone_is_told_and_found_again(browser: Browser, tmp_path: Path) -> None:
    with serving(ToldCrew(1), tmp_path) as (url, _), visit(browser, url) as page:
        heard(page)
        page.context.set_offline(True)
        drop(page, ("later.ogg", told()))
        expect(page.locator("#gone")).to_contain_text("The server does not answer")
        expect(page.locator(".file.bad")).to_contain_text("does not answer")
        expect(page.locator(".headline")).to_be_visible()
        page.context.set_offline(False)
        expect(page.locator("#gone")).to_be_hidden()
        page.get_by_role("button", name="Send again").click()
        expect(page.get_by_role("button", name="Send again")).to_be_hidden()


def test_it_fits_a_phone(browser: Browser, url: str) -> None:
    with visit(browser, url, size=PHONE, scheme="dark") as page:
        heard(page)
        page.get_by_role("button", name=re.compile("Show .* more")).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        lane = page.locator(".lane").first.bounding_box()
        assert lane is not None
        assert lane["width"] > 340
        small = page.locator("button:visible").evaluate_all(
            "all => all.filter(b => b.getBoundingClientRect().height < 24).map(b => b.outerHTML)"
        )
        assert not small
        dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert dark == "rgb(21, 23, 21)"


def test_files_are_dropped_from_the_desktop(browser: Browser, url: str) -> None:
    with visit(browser, url) as page:
        expect(page.locator(".drop")).to_be_visible()
        page.evaluate(
            """() => {
              const data = new DataTransfer();
              data.items.add(new File(["no sound"], "dropped.ogg"));
              for (const kind of ["dragenter", "dragover", "drop"]) {
                const how = {dataTransfer: data, bubbles: true, cancelable: true};
                document.body.dispatchEvent(new DragEvent(kind, how));
              }
            }"""
        )
        expect(page.locator(".file .name")).to_have_text("dropped.ogg")


def test_with_a_token_the_page_opens_once_and_forgets_it(browser: Browser, tmp_path: Path) -> None:
    token = "a-token-for-a-browser"
    with serving(ToldCrew(1), tmp_path, access=Access("127.0.0.1", token)) as (url, _):
        with visit(browser, f"{url}/?token={token}") as page:
            heard(page)
            assert token not in page.url
            page.reload()
            expect(page.locator(".drop")).to_be_visible()
        with visit(browser, url) as page:
            expect(page.locator("body")).to_contain_text("needs a token")


class Elsewhere(BaseHTTPRequestHandler):
    """A page of another origin, which may do all that a page may."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *_: object) -> None:
        pass


def test_a_page_of_another_origin_gets_nothing(browser: Browser, url: str) -> None:
    script = """async (place) => {
      const simple = {method: "POST", body: "x", mode: "no-cors"};
      const named = {method: "POST", body: "x", headers: {"Timbretree-Client": "evil"}};
      const tries = [
        fetch(place + "/api/health"),
        fetch(place + "/api/health", {mode: "no-cors"}),
        fetch(place + "/api/jobs?name=evil", simple),
        fetch(place + "/api/jobs?name=evil", named),
      ];
      const image = await new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve("shown");
        image.onerror = () => resolve("refused");
        image.src = place + "/icon.svg";
      });
      return [image, ...(await Promise.allSettled(tries)).map((each) => each.status)];
    }"""
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{elsewhere.server_port}/")
        for place in (url, url.replace("127.0.0.1", "localhost")):
            assert page.evaluate(script, place) == ["refused", *["rejected"] * 4]
        page.set_content(f'<iframe src="{url}"></iframe>')
        until(lambda: len(page.frames) == 2 and page.frames[1].url.startswith("chrome-error"))
        context.close()
        elsewhere.shutdown()
