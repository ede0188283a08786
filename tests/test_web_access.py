"""Who may ask the server: no other name, no page of another origin, nobody without the token."""

import base64
import hashlib
import re
from collections.abc import Iterator

import httpx
import pytest

from serving import ToldCrew, serving
from timbretree.web import Access
from timbretree.web.access import HEADERS, POLICY, WAVE_STYLE, is_loopback
from timbretree.web.site import FOLDER

TOKEN = "a-secret-of-this-test"


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(ToldCrew(), tmp_path_factory.mktemp("open")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def locked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    access = Access("0.0.0.0", TOKEN, ("music.example",))
    with serving(ToldCrew(), tmp_path_factory.mktemp("locked"), access=access) as (url, _):
        yield url


def ask(url: str, path: str = "/api/health", method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, url + path, headers=named, trust_env=False, verify=False)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "127.0.0.1:9", "localhost."]
)
def test_its_own_names_are_answered(open_server: str, host: str) -> None:
    assert ask(open_server, Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.7",
        "",
        "[::",
        "a b",
    ],
)
def test_another_name_pointed_at_it_is_refused(open_server: str, host: str) -> None:
    for path in ("/", "/api/health", "/js/app.js", "/api/jobs/x"):
        answer = ask(open_server, path, Host=host)
        assert answer.status_code in (400, 403)
        assert "timbretree</title>" not in answer.text


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[::", "file://"]
)
def test_a_page_of_another_origin_is_refused(open_server: str, origin: str) -> None:
    for method, path in (("GET", "/api/health"), ("POST", "/api/jobs"), ("DELETE", "/api/jobs/x")):
        answer = ask(open_server, path, method, Origin=origin, Timbretree_Client="me")
        assert (answer.status_code, answer.json()["error"]) == (403, "wrong_origin")
    assert ask(open_server, Origin=open_server).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_tells_where_a_request_is_from_is_believed(
    open_server: str, site: str
) -> None:
    for mode in ("no-cors", "cors", "navigate"):
        headers = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": mode}
        assert ask(open_server, "/api/health", **headers).status_code == 403
        assert ask(open_server, "/", "POST", **headers).status_code == 403
        follows_a_link = ask(open_server, "/", **headers).status_code == 200
        assert follows_a_link == (mode == "navigate")
    assert ask(open_server, Sec_Fetch_Site="same-origin").status_code == 200


def test_an_upload_names_its_client_which_a_form_of_another_page_can_not(open_server: str) -> None:
    answer = ask(open_server, "/api/jobs", "POST")
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert "Timbretree-Client" in answer.json()["message"]


def test_without_the_token_nothing_is_shown(locked_server: str) -> None:
    for path in (
        "/",
        "/js/app.js",
        "/page.css",
        "/api/health",
        "/api/openapi.json",
        "/api/jobs/x",
        "/nothing",
    ):
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = ask(locked_server, path, **wrong)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "set-cookie" not in answer.headers
    assert ask(locked_server, "/?token=wrong").status_code == 401
    assert "set-cookie" not in ask(locked_server, "/?token=wrong").headers
    assert ask(locked_server, f"/api/health?token={TOKEN}").status_code == 401


def test_the_token_opens_once_and_the_cookie_from_then_on(locked_server: str) -> None:
    assert ask(locked_server, Authorization=f"Bearer {TOKEN}").status_code == 200
    with httpx.Client(base_url=locked_server, trust_env=False) as browser:
        first = browser.get("/", params={"token": TOKEN})
        assert first.status_code == 200
        cookie = first.headers["set-cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/"))
        assert TOKEN not in cookie
        assert browser.get("/").status_code == 200
        assert browser.get("/api/health").status_code == 200
        evil = browser.get("/api/health", headers={"Sec-Fetch-Site": "cross-site"})
        assert evil.status_code == 403


@pytest.mark.parametrize(
    ("host", "status"), [("music.example", 200), ("192.168.1.7:80", 200), ("evil.example", 403)]
)
def test_beyond_this_machine_addresses_and_given_names_are_answered(
    locked_server: str, host: str, status: int
) -> None:
    assert ask(locked_server, Host=host, Authorization=f"Bearer {TOKEN}").status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "music.example"])
def test_it_does_not_listen_beyond_this_machine_without_a_token(host: str) -> None:
    with pytest.raises(ValueError, match="a token is needed"):
        Access(host)
    assert not Access(host, TOKEN).stays_here


@pytest.mark.parametrize("token", ["", "short", "ä" * 20, "with a\nline break in it"])
def test_a_token_can_not_be_guessed_and_fits_a_header(token: str) -> None:
    with pytest.raises(ValueError, match="a token has 16"):
        Access("127.0.0.1", token)


def test_what_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "")))


def test_every_answer_forbids_what_the_page_does_not_need(open_server: str) -> None:
    for path in ("/", "/api/health", "/nothing", "/js/app.js", "/api/jobs/x"):
        answer = ask(open_server, path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "access-control-allow-origin" not in answer.headers
    assert ask(open_server, Host="evil.example").headers["content-security-policy"] == POLICY
    for part in (
        "default-src 'none'",
        "script-src 'self';",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert part in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


def test_the_one_style_that_is_let_in_is_the_vendored_one() -> None:
    script = (FOLDER / "vendor" / "wavesurfer.esm.js").read_text("utf-8")
    found = re.search(r"<style\$\{.*?\}>(.*?)</style>", script, re.S)
    assert found is not None
    style = found.group(1).replace("\\n", "\n")
    style = re.sub(r"\$\{this\.getHeight\([^}]*\)\}", "80", style)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{digest}" == WAVE_STYLE


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for path in FOLDER.rglob("*"):
        if path.suffix in {".html", ".css", ".js"} and path.parent.name != "vendor":
            text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?://|url\(|@import|\beval\b|style=\"", text), path


def test_the_vendored_script_is_the_one_that_was_read() -> None:
    readme = (FOLDER / "vendor" / "README.md").read_text("utf-8")
    for path in (FOLDER / "vendor").glob("*.js"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in readme
