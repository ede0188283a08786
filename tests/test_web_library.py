"""The library through the server and in the browser: ask, see where, play there."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from browsing import PHONE, chromium, visit
from serving import ToldCrew, serving
from timbretree.library import Library
from timbretree.writers import WRITERS

SONG = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    shutil.copy(SONG, folder / "ode.ogg")
    (folder / "begins.ogg").write_bytes(SONG.read_bytes()[:150_000])
    (folder / "broken.mp3").write_bytes(b"no sound")
    for number in range(20):
        (folder / f"{number:02}.ogg").write_bytes(SONG.read_bytes()[: 120_000 + 1000 * number])
    made = folder.parent / (folder.name + ".db")
    scan = [sys.executable, "-m", "timbretree", "scan", str(folder), "--library", str(made)]
    assert subprocess.run(scan, capture_output=True).returncode in (0, 1)
    return made


@pytest.fixture(scope="module")
def url(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("uploads")
    with Library(music) as library, serving(ToldCrew(1), folder, library=library) as (url, _):
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def ode(client: httpx.Client) -> str:
    found = client.get("/api/tracks", params={"q": "path:ode.ogg"}).json()["tracks"]
    return str(found[0]["id"])


def test_a_question_is_answered_with_where_it_plays(client: httpx.Client) -> None:
    found = client.get("/api/tracks", params={"q": "trumpet"}).json()
    assert (found["total"], found["tracks"][0]["title"]) == (1, "ode.ogg")
    strand = found["tracks"][0]["strands"][0]
    assert (strand["id"], strand["answer"]) == ("trumpet", "heard")
    assert [start > 15 for start, _, answer in strand["spans"] if answer == "heard"] == [True]
    assert client.get("/api/tracks", params={"q": "piano", "limit": 5}).json()["total"] > 10
    assert client.get("/api/tracks", params={"group": "brass"}).json()["total"] >= 1
    assert (
        client.get("/api/tracks", params={"q": "violin", "min_seconds": 500}).json()["total"] == 0
    )


def test_a_question_that_can_not_be_read_points_at_the_word(client: httpx.Client) -> None:
    answer = client.get("/api/tracks", params={"q": "piano and clarinit"})
    problem = answer.json()
    assert (answer.status_code, problem["error"]) == (400, "query")
    assert "did you mean clarinet" in problem["message"]
    assert (problem["at"], problem["length"]) == (10, 8)
    assert client.get("/api/tracks", params={"sort": "nonsense"}).status_code == 400
    assert client.get("/api/tracks", params={"group": "nonsense"}).status_code == 400


def test_a_track_is_seen_and_taken_away_like_an_upload(client: httpx.Client) -> None:
    track = f"/api/tracks/{ode(client)}"
    about = client.get(track).json()
    assert about["file"] == "ode.ogg"
    assert "/" not in str(about)
    assert client.get(f"{track}/view").json()["headline"].startswith("Violin")
    moment = client.get(f"{track}/moment", params={"at": 26}).json()
    assert "Brass was heard through trumpet (100% of its attention)." in moment["sentences"]
    for name in WRITERS:
        assert client.get(f"{track}/result/{name}").status_code == 200


def test_its_sound_is_served_in_parts(client: httpx.Client) -> None:
    audio = f"/api/tracks/{ode(client)}/audio"
    whole = SONG.read_bytes()
    answer = client.get(audio)
    assert (answer.status_code, answer.content) == (200, whole)
    assert answer.headers["content-type"] == "audio/ogg"
    assert answer.headers["accept-ranges"] == "bytes"
    for asked, span in (("bytes=0-9", (0, 10)), ("bytes=-7", (len(whole) - 7, len(whole)))):
        part = client.get(audio, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, whole[slice(*span)])
        assert part.headers["content-range"] == f"bytes {span[0]}-{span[1] - 1}/{len(whole)}"
    beyond = client.get(audio, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    for strange in ("bytes=0-1,5-6", "bytes=9-1", "lines=1-2", "bytes=" + "9" * 300, "bytes=x-"):
        assert client.get(audio, headers={"Range": strange}).status_code == 200


@pytest.mark.parametrize(
    "id", ["nothing", "..%2f..%2fetc%2fpasswd", "%00", "1", "ode.ogg", "a" * 65, "' OR 1=1 --"]
)
def test_no_path_of_a_client_is_opened(client: httpx.Client, id: str) -> None:
    for what in ("", "/view", "/audio", "/result/json"):
        assert client.get(f"/api/tracks/{id}{what}").status_code in (404, 422)


def test_a_file_that_went_away_or_became_a_pipe_is_told(music: Path, client: httpx.Client) -> None:
    import os

    found = client.get("/api/tracks", params={"q": "path:begins.ogg"}).json()["tracks"][0]["id"]
    with Library(music) as library:
        path = library.path_of(found)
    path.rename(path.with_suffix(".away"))
    assert client.get(f"/api/tracks/{found}/audio").status_code == 410
    os.mkfifo(path)
    assert client.get(f"/api/tracks/{found}/audio").status_code == 410
    path.unlink()
    path.with_suffix(".away").rename(path)


def test_the_library_is_searched_in_the_page(browser: Browser, url: str) -> None:
    with visit(browser, f"{url}/#/library") as page:
        tracks = page.locator(".tracks > li")
        expect(tracks).to_have_count(20)
        expect(page.locator(".stats button").first).to_be_visible()
        page.get_by_role("button", name="Next →").click()
        expect(page.locator(".count")).to_contain_text("21–")
        page.get_by_role("searchbox").fill("trumpet and violin")
        expect(tracks).to_have_count(1)
        expect(page.locator(".strand")).to_have_count(2)
        assert "q=trumpet" in page.url
        # it plays where the trumpet does
        page.get_by_role("button", name=re.compile("Play trumpet in ode.ogg, 0:2")).first.click()
        expect(page.locator(".now")).to_contain_text("ode.ogg · trumpet")
        expect(page.locator(".now .play")).to_have_attribute("aria-label", "Pause")
        page.locator(".now .play").click()
        # a word it does not know
        page.get_by_role("searchbox").fill("piano and clarinit")
        expect(page.locator(".wrong pre")).to_have_text("piano and clarinit\n          ^^^^^^^^")
        expect(page.get_by_role("searchbox")).to_have_attribute("aria-invalid", "true")
        # families are filters
        page.get_by_role("searchbox").fill("")
        page.get_by_role("button", name="brass", exact=True).click()
        expect(page.locator(".count")).to_contain_text("track")
        expect(page.locator(".wrong")).to_be_hidden()
        page.get_by_role("searchbox").fill("voice > 99%")
        expect(page.locator(".count")).to_contain_text("No track is like that")
        page.get_by_role("searchbox").fill("path:ode.ogg")
        expect(tracks).to_have_count(1)
        page.get_by_role("link", name="ode.ogg").click()
        expect(page.locator(".headline")).to_contain_text("Violin")
        expect(page.locator(".play")).to_be_enabled()
        page.get_by_role("link", name="← Library").click()
        expect(page.get_by_role("searchbox")).to_have_value("path:ode.ogg")


def test_the_library_fits_a_phone(browser: Browser, url: str) -> None:
    with visit(browser, f"{url}/#/library", size=PHONE, scheme="dark") as page:
        expect(page.locator(".tracks > li")).to_have_count(20)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
