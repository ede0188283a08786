"""The pages as a site: built strictly, whole without a network, and true to the code they draw."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
WRITTEN = [ROOT / "README.md", *(DOCS / page for page in PAGES)]
LOADED = {"src", "srcset", "poster", "data"}
"""Attributes by which a browser fetches something by itself."""


class Page(HTMLParser):
    """What a built page names, what it links to, and what a browser would fetch for it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.names |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") not in ("canonical", "prev", "next"):
            self.fetched.append(found.get("href", ""))
        self.fetched += [found[name] for name in LOADED & set(found) if tag != "a"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as ``make docs`` builds it."""
    pytest.importorskip("material", reason="the site is built with the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page of it."""
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}


def in_nav(entries: object) -> list[str]:
    """The pages that the navigation names, in its order."""
    if isinstance(entries, str):
        return [entries]
    below = entries.values() if isinstance(entries, dict) else entries
    assert not isinstance(below, str)
    return [page for entry in below for page in in_nav(entry)]  # type: ignore[union-attr]


def test_the_navigation_names_each_page_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert sorted(in_nav(yaml.safe_load(text)["nav"])) == PAGES


def test_each_page_is_built(pages: dict[Path, Page], site: Path) -> None:
    built = {path.relative_to(site).with_suffix(".md").as_posix() for path in pages}
    assert built == set(PAGES)


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    for path, page in pages.items():
        for address in page.fetched:
            parts = urlsplit(address)
            assert not parts.netloc, f"{path.name} fetches {address}"
            if parts.scheme != "data":
                assert (path.parent / unquote(parts.path)).is_file(), f"{path.name}: {address}"
    for path in site.rglob("*.css"):
        style = path.read_text("utf-8")
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style), path


def test_every_link_of_the_site_leads_somewhere(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if there.is_dir():
                there = there / "index.html"
            assert there.is_file(), f"{path.name} links to {address}"
            if parts.fragment and there in pages:
                assert unquote(parts.fragment) in pages[there].names, f"{path.name}: {address}"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    """Where the pages are read as files, as on a forge; README.md is read only there."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for address in found:
        parts = urlsplit(address)
        if parts.scheme:
            continue
        there = path.parent / unquote(parts.path) if parts.path else path
        assert there.exists(), address
        if parts.fragment:
            assert unquote(parts.fragment) in anchors(there), address


def anchors(path: Path) -> set[str]:
    """The names of a page's headings, as forges and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in headings]
    return {re.sub(r" ", "-", heading) for heading in plain}


def test_the_drawings_are_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn again from the code, they are the same to the letter."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(DOCS / "pictures"))
    import flows
    import heads

    for name, drawing in (flows.drawings() | heads.drawings()).items():
        assert (DOCS / "pictures" / name).read_text("utf-8") == drawing, name


def test_a_step_that_the_code_no_longer_takes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(DOCS / "pictures"))
    import flows

    here = flows.Step("hearing.hear", ("", ""), "", "hearing")
    with pytest.raises(LookupError, match="no longer leads"):
        flows.check(here, flows.Step("train.Learner", ("", ""), "", ""))
