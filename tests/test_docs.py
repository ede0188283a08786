"""The page on the paper: all it names is there, and all that the paper says is on it."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from timbretree.experiment.paper import TABLE_1
from timbretree.methods import METHODS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "paper.md").read_text("utf-8")

SENTENCES = {
    "Abstract": 8,
    "1. Introduction": 21,
    "2. Related work": 12,
    "3. Proposed methods": 5,
    "3.1. Hierarchical approaches for joint training": 26,
    "3.2. ResAtt: attention-based bottom-up method": 11,
    "4. Evaluation": 0,
    "4.1. Tone-base hierarchical dataset": 9,
    "4.2. Experiments": 28,
    "4.3. Metrics": 3,
    "5. Results": 26,
    "6. Conclusion and future work": 8,
}
"""The sections of the paper, and how many sentences each has; headings in mid-paragraph count."""
PLACES = (
    "Eq. 1",
    "Eq. 2",
    "Fig. 1",
    "Fig. 2a",
    "Fig. 2b",
    "Fig. 2c",
    "Fig. 2d",
    "Fig. 3",
    "Fig. 4",
)
STATUSES = ("stated", "recovered", "ours", "differs", "no code")

NAME = re.compile(r'`(timbretree(?:\.\w+)+)(?:\["([^"]+)"\])?`')
FILE = re.compile(r"`((?:src|tests|docs)/[^`:]+)(?:::(\w+))?`")
BEGINS = re.compile(r"(?<=[.!?])\s+(?=[A-Z“])")
ABBREVIATIONS = re.compile(r"\b(i\.e|e\.g|et al|Sec|Fig|Eq|Tab)\.")


class Row(NamedTuple):
    """A row of a table on the page."""

    section: str
    cells: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.cells)


def sections() -> dict[str, str]:
    """What stands below each heading of the page, up to the next one."""
    parts = re.split(r"^#+ (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(section: str) -> list[Row]:
    """The rows of the one table of a section, without its head."""
    lines = [line for line in sections()[section].splitlines() if line.startswith("|")]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    assert len({len(row) for row in cells}) <= 1, f"{section}: a row has more cells than another"
    return [Row(section, row) for row in cells[2:]]


TABLES = [name for name in sections() if rows(name)]
WITH_STATUS = [row for name in ("Equations and figures", "Table 1", *SENTENCES) if name in TABLES
               for row in rows(name)]  # fmt: skip


def resolve(name: str, key: str) -> Any:
    """What a dotted name stands for: a module, what is in it, a method or a field of it; and the
    entry of a table where it has a key."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            fields = getattr(found, "__dataclass_fields__", {})
            found = fields[part] if part in fields else getattr(found, part)
        return found[key] if key else found
    raise ModuleNotFoundError(name)


@cache
def functions(path: Path) -> set[str]:
    """The names of the tests in a file, which is not imported."""
    body = ast.parse(path.read_text("utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def covered(numbers: str) -> list[int]:
    """The sentences that the first cell of a row names: 4, or 4–6."""
    first, _, last = numbers.partition("–")
    return list(range(int(first), int(last or first) + 1))


# --- what the page names is there


@pytest.mark.parametrize(("name", "key"), sorted(set(NAME.findall(PAGE))))
def test_every_name_on_the_page_is_there(name: str, key: str) -> None:
    resolve(name, key)


@pytest.mark.parametrize(("file", "test"), sorted(set(FILE.findall(PAGE))))
def test_every_test_and_file_on_the_page_is_there(file: str, test: str) -> None:
    assert (ROOT / file).is_file()
    if test:
        assert test in functions(ROOT / file), f"{file} has no {test}"


def test_nothing_on_the_page_is_named_in_another_way() -> None:
    """What looks like a name or a test must be written so that the two tests above see it."""
    for code in re.findall(r"`([^`\n]*)`", PAGE):
        if code.startswith(("timbretree.", "tests/", "src/")) or "::" in code:
            assert NAME.fullmatch(f"`{code}`") or FILE.fullmatch(f"`{code}`"), code


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("timbretree.heads.ResAtt.glance", ""),
        ("timbretree.heds.ResAtt", ""),
        ("timbretree.train.TrainConfig.batches", ""),
        ("timbretree.methods.METHODS", "gnp"),
    ],
)
def test_a_name_that_is_gone_is_noticed(name: str, key: str) -> None:
    with pytest.raises((AttributeError, KeyError)):
        resolve(name, key)


# --- what the paper says is on the page


def test_every_section_and_sentence_of_the_paper_is_on_the_page() -> None:
    assert [name for name in sections() if name in SENTENCES] == list(SENTENCES)
    for name, number in SENTENCES.items():
        found = [sentence for row in rows(name) for sentence in covered(row.cells[0])]
        assert found == list(range(1, number + 1)), name


def test_the_sentences_are_counted_right(shared: Path) -> None:
    text = (shared / "paper" / "zhong2023-resatt.txt").read_text("utf-8")
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    bodies = {title.strip().lower(): body for title, body in
              zip(parts[1::2], parts[2::2], strict=True)}  # fmt: skip
    assert {name: len(sentences(bodies[name.lower()])) for name in SENTENCES} == SENTENCES


def sentences(body: str) -> list[str]:
    """The sentences of a section, without formulas on their own, captions and tables."""
    captions = ("Fig. 1. ", "Fig. 2. ", "**Fig.", "**Table", "$$", "**Index")
    lines = [line.strip() for line in body.splitlines()]
    prose = " ".join(line for line in lines if not line.startswith(captions) and "\t" not in line)
    prose = re.sub(r"\*\*?", "", re.sub(r"\$[^$]*\$", "M", prose))
    prose = ABBREVIATIONS.sub(lambda found: found[0].replace(".", ""), prose)
    return [each for each in BEGINS.split(" ".join(prose.split())) if each]


def test_every_equation_and_figure_has_its_row() -> None:
    first = [row.cells[0] for row in rows("Equations and figures")]
    assert [cell for cell in first if cell in PLACES] == list(PLACES)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_row(method: str) -> None:
    (row,) = [row for row in rows("Table 1") if f'METHODS["{method}"]' in row.text]
    assert row.cells[0].startswith("ours") == (method not in TABLE_1)


def test_every_row_says_how_it_stands_and_what_holds_it() -> None:
    """A claim that we keep, or a decision of ours, without code or test is no claim."""
    assert len(WITH_STATUS) > 100
    for row in WITH_STATUS:
        status = row.cells[-1]
        assert status.startswith(STATUSES), row
        if not status.startswith("no code"):
            assert NAME.search(row.text) or "`src/" in row.text, row
            assert "`tests/" in row.text, row


def test_every_decision_of_ours_has_its_code_and_its_test() -> None:
    for row in rows("What is ours"):
        assert NAME.search(row.cells[2]), row
        assert "`tests/" in row.cells[3], row


def test_every_known_fault_has_its_test() -> None:
    assert len(rows("Known faults of others' code")) == 6
    for row in rows("Known faults of others' code"):
        assert "`tests/" in row.cells[2], row


def test_the_citation_names_the_paper_and_the_version() -> None:
    import yaml

    from timbretree import __version__

    found = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert found["version"] == __version__
    paper = found["preferred-citation"]
    assert "attention-based approach to hierarchical" in paper["title"]
    assert len(paper["authors"]) == 6
