"""What the pages hold that can be run: commands, Python, and the files that they show whole."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = [
    *("timbretree", "python", "python3", "pip", "pipx", "uv", "make", "curl", "git", "docker"),
    *("sudo", "apt-get", "brew", "tensorboard", "accelerate", "ray", "beet", "hf", "cd", "export"),
    *("source", "twine", "mkdocs", "pytest", "models/recipe/make.sh"),
]
"""By these first words a command is known where nothing else says that it is one."""
SHELLS = ("sh", "bash", "shell", "console")
FENCE = re.compile(r"^(?P<margin>[ \t]*)(?P<bar>`{3,}|~{3,})[ \t]*(?P<about>[^`]*)$")
INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n(?![ \t]*\n)[^`\n]+)*)`(?!`)")
SHELL_WORD = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|&&|;|(?<!\S)\#.*|.""", re.DOTALL)
QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
PLACEHOLDER = re.compile(r"\.\.\.|…|<[a-z-]+>|(?<![\w$/.:=@-])(?!MIT)[A-Z][A-Z]+(?=$|[\s.])")
"""A word in capitals, or dots: what a reader puts something else for."""


@dataclass(frozen=True)
class Command:
    """One command of a page, without prompt and comment; a pipe is one command."""

    page: str
    line: int
    text: str
    shows: str = ""
    """What the page says that it prints."""
    inline: bool = False

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def whole(self) -> bool:
        """Whether it can be run as it stands, no word of it standing for another."""
        return not PLACEHOLDER.search(QUOTED.sub("", self.text))


@dataclass(frozen=True)
class Code:
    """A block of Python of a page."""

    page: str
    line: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class File:
    """A file that a page shows whole: a fence with a title."""

    page: str
    line: int
    name: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


Item = Command | Code | File


def pages() -> list[Path]:
    """README.md and its like, and all pages of the folders that have some."""
    found = list(ROOT.glob("*.md"))
    for folder in ("docs", "examples", "models", "benchmarks"):
        found += (ROOT / folder).rglob("*.md")
    return sorted(found, key=lambda path: (path.parent != ROOT, path))


def items(page: Path) -> list[Item]:
    """All that a page holds, in the order in which it is read."""
    return read(page.read_text("utf-8"), page.relative_to(ROOT).as_posix())


def read(text: str, page: str) -> list[Item]:
    """The same of a text."""
    found: list[Item] = []
    prose = text.split("\n")
    for first, margin, about, body in _fences(text.split("\n")):
        prose[first - 1 : first + len(body) + 1] = [""] * (len(body) + 2)
        lines = [line.removeprefix(margin) for line in body]
        found += _block(page, first + 1, about, lines)
    found += _indented(page, prose)
    found += _inline(page, "\n".join(prose))
    return sorted(found, key=lambda item: item.line)


def _fences(lines: list[str]) -> Iterator[tuple[int, str, str, list[str]]]:
    """The number of the first line of each (from 1), its margin, what it says of itself, and what
    is in it."""
    opened: tuple[int, re.Match[str]] | None = None
    for number, line in enumerate(lines, 1):
        found = FENCE.match(line)
        if opened is None:
            opened = (number, found) if found else None
            continue
        first, fence = opened
        if found and found["bar"].startswith(fence["bar"]) and not found["about"]:
            yield first, fence["margin"], fence["about"].strip(), lines[first : number - 1]
            opened = None
    assert opened is None, f"the fence of line {opened and opened[0]} has no end"


def _block(page: str, line: int, about: str, lines: list[str]) -> list[Item]:
    language = re.split(r"[\s{]", about)[0]
    if title := re.search(r'title="([^"]+)"', about):
        return [File(page, line, title[1], "\n".join(lines) + "\n")]
    if language in ("python", "py"):
        return [Code(page, line, "\n".join(lines) + "\n")]
    if language in SHELLS or (language in ("", "text") and any(map(_is_command, lines))):
        return list(_commands(page, line, lines))
    return []


def _is_command(line: str) -> bool:
    return bool(line) and _program(line.strip().removeprefix("$ ")) in PROGRAMS


def _program(text: str) -> str:
    """The first word that sets no variable."""
    word = next((word for word in text.split() if not re.match(r"[A-Z_]+=", word)), "")
    return re.sub(r"^\.venv(-dev)?/bin/", "", word)


def _commands(page: str, line: int, lines: list[str]) -> Iterator[Command]:
    """Where some lines have a prompt, what follows them is what they print."""
    prompted = any(each.startswith("$ ") for each in lines)
    number = 0
    while number < len(lines):
        first, text = number, lines[number]
        while text.endswith("\\"):
            number += 1
            text = text[:-1] + lines[number].strip()
        number += 1
        shows = []
        while prompted and number < len(lines) and not lines[number].startswith("$ "):
            shows.append(lines[number])
            number += 1
        found = pieces(text.removeprefix("$ ") if prompted else text)
        for piece in found:
            last = piece is found[-1]
            yield Command(page, line + first, piece, "\n".join(shows) if last else "")


def pieces(text: str) -> list[str]:
    """The commands of a line of a shell, without its comment."""
    found = [""]
    for word in SHELL_WORD.findall(text):
        if word.startswith("#"):
            break
        if word in ("&&", ";"):
            found.append("")
        else:
            found[-1] += word
    return [piece.strip() for piece in found if piece.strip()]


def _indented(page: str, lines: list[str]) -> Iterator[Command]:
    """Commands in a block without a fence, after an empty line."""
    for number, line in enumerate(lines, 1):
        before = lines[number - 2] if number > 1 else ""
        alone = not before.strip() or before.startswith(("    ", "\t"))
        if line.startswith(("    ", "\t")) and alone and _is_command(line):
            yield from _commands(page, number, [line.strip()])


def _inline(page: str, prose: str) -> Iterator[Command]:
    for found in INLINE.finditer(prose):
        text = " ".join(found[1].replace("\\|", "|").split())
        if " " in text and _program(text) in PROGRAMS:
            line = prose.count("\n", 0, found.start()) + 1
            for piece in pieces(text):
                yield Command(page, line, piece, inline=True)
