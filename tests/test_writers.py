"""The writers: exact text, one line of JSON, and a page that is safe whatever a file is called."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from made_tags import (
    DEEP,
    HOSTILE,
    KINDS,
    either,
    every,
    failed,
    hear,
    in_doubt,
    silent,
    trio_heard,
)
from timbretree.bands import Bands
from timbretree.calibration import UNCALIBRATED, Calibration
from timbretree.modelfile import SHIPPED, read_info
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores
from timbretree.taxonomy import Taxonomy
from timbretree.writers import WRITERS, as_json, card
from timbretree.writers.columns import COLUMNS, clip, pad, width, wrap
from timbretree.writers.outline import binned, ticks
from timbretree.writers.words import NO_LOOK, clock, headline, shown, why

VOID = {"meta", "link", "br", "hr", "img", "input"}


@pytest.fixture
def trio() -> Tags:
    """Three families, three windows; the keyboard passes over its piano, as in Fig. 4."""
    return trio_heard()


@pytest.fixture
def doubt(trio: Tags) -> Tags:
    """The trio again, where clarinet, organ and the keyboard as a whole are unsure."""
    return in_doubt(trio, "clarinet", "organ", "keyboard")


@every
@either
@pytest.mark.parametrize("format", WRITERS)
def test_every_writer_writes_everything(kind: str, explain: bool, format: str) -> None:
    written = WRITERS[format].write(KINDS[kind], explain)
    if isinstance(written, bytes):
        assert format == "parquet"
        return
    assert written.encode("utf-8").endswith(b"\n") or (format == "audacity" and not written)
    allowed = "" if format != "audacity" else "\t"
    assert not set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", written)) - {*allowed}


def test_the_table_of_writers_is_light() -> None:
    code = "import sys, timbretree.writers; print('numpy' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "False\n"
    assert {name: writer.suffix for name, writer in WRITERS.items()} == {
        "text": ".txt",
        "json": ".json",
        "jsonl": ".jsonl",
        "csv": ".csv",
        "parquet": ".parquet",
        "jams": ".jams",
        "audacity": ".labels.txt",
        "sonic-visualiser": ".regions.csv",
        "html": ".html",
    }


def test_the_command_line_offers_every_writer() -> None:
    command = [sys.executable, "-m", "timbretree", "tag", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"How to write the tags: {', '.join(WRITERS)}," in " ".join(told.split())


# text

TRIO = """\
live/trio.mp3
0:28, model tiny

● woodwind         ██████████████████▌           66%
  ● flute          █████████████████████         75%
  ● clarinet       ██████████████                50%
○ keyboard         ░░░                           12%
  ● piano          ███████████████████████▎      83%
  ○ organ          ░░                             6%
○ plucked strings  ░                              3%
  … banjo, guitar below 5%

when
  flute     ████████░░░░░░░░········
  clarinet  ▒▒▒▒▒▒▒▒▓▓▓▓▓▓▓▓░░░░░░░░
  piano     ████████▓▓▓▓▓▓▓▓████████
            0:00    0:10    0:20
  · below 5%   ░ from 5%   ▒ from 25%   ▓ from 50%   █ from 75%
"""
WHY = """
why
  woodwind was heard through flute (62% of its attention), clarinet (20%) and,
    beyond the family, piano (12%)
  keyboard was not heard (12%): piano, heard at 83%, was given little attention
    (2%)
"""
NOTE = """
note: piano (83%) was heard, but the family keyboard as a whole only at 12%,
      below its threshold
"""


def test_text_to_the_letter(trio: Tags) -> None:
    assert WRITERS["text"].write(trio, False) == TRIO + NOTE
    assert WRITERS["text"].write(trio, True) == TRIO + WHY + NOTE


DOUBT = """\
live/trio.mp3
0:28, model tiny

● woodwind         ██████████████████▌           66%
  ● flute          █████████████████████         75%
  ◐ clarinet       ▒▒▒▒▒▒▒▒▒▒▒▒▒▒                50%
◐ keyboard         ▒▒▒                           12%
  ● piano          ███████████████████████▎      83%
  ◐ organ          ▒▒                             6%
○ plucked strings  ░                              3%
  … banjo, guitar below 5%
  ● heard   ◐ unsure: it may play, but the evidence is thin   ○ not heard

when
  flute     ████████░░░░░░░░········
◐ clarinet  ▒▒▒▒▒▒▒▒▓▓▓▓▓▓▓▓░░░░░░░░
  piano     ████████▓▓▓▓▓▓▓▓████████
◐ organ     ░░░░░░░░················
            0:00    0:10    0:20
  · below 5%   ░ from 5%   ▒ from 25%   ▓ from 50%   █ from 75%
"""
DOUBTFUL_WHY = """
why
  woodwind was heard through flute (62% of its attention), clarinet (20%) and,
    beyond the family, piano (12%)
  keyboard may have been heard (12%) through organ (70% of its attention) and,
    beyond the family, flute (10%); piano, heard at 83%, was given little
    attention (2%)
"""
DOUBTFUL_NOTE = """
note: piano (83%) was heard, but the family keyboard as a whole only at 12%, too
      little to be sure
"""


def test_text_marks_what_is_unsure_and_says_what_that_means(doubt: Tags) -> None:
    assert WRITERS["text"].write(doubt, False) == DOUBT + DOUBTFUL_NOTE
    assert WRITERS["text"].write(doubt, True) == DOUBT + DOUBTFUL_WHY + DOUBTFUL_NOTE


def test_text_folds_nothing_that_is_unsure() -> None:
    faint = in_doubt(hear(Taxonomy.load("tone7"), 1), "banjo")  # at 2%
    assert "  ◐ banjo" in WRITERS["text"].write(faint, False)


@every
@either
def test_text_stays_within_80_columns(kind: str, explain: bool) -> None:
    lines = WRITERS["text"].write(KINDS[kind], explain).splitlines()
    assert [line for line in lines if width(line) > COLUMNS or line != line.rstrip()] == []


def test_text_columns_are_aligned_at_any_depth() -> None:
    lines = WRITERS["text"].write(KINDS["deep"], False).split("\n\n")[1].splitlines()
    rows = [line for line in lines if "…" not in line]
    assert len({line.index("%") for line in rows}) == 1
    assert "    ● clarinet" in "\n".join(rows), "a tag two levels down is indented twice"


def test_text_folds_what_is_faint_and_shows_all_of_a_family_that_was_heard() -> None:
    text = WRITERS["text"].write(KINDS["deep"], False)
    assert "    ○ saxophone" in text, "reeds were heard, so all reeds are shown"
    assert "  … drums below 5%" in text
    assert "○ membranophones" in text


def test_text_timeline_keeps_a_solo_when_windows_are_binned() -> None:
    tags = hear(Taxonomy.load("tone7"), 400, playing=("flute",))
    solo = tags.windows[0].tags.copy()
    quiet = replace(tags.windows[0], tags=np.zeros_like(solo))
    windows = [replace(quiet, start=w.start, end=w.end) for w in tags.windows]
    windows[237] = tags.windows[237]
    lines = WRITERS["text"].write(replace(tags, windows=tuple(windows)), False).splitlines()
    row = next(line for line in lines[lines.index("when") :] if line.startswith("  flute"))
    cells = row.removeprefix("  flute  ")
    assert cells.count("█") == 1
    assert cells.index("█") == 237 * len(cells) // 400


def test_text_has_no_timeline_of_one_window() -> None:
    assert "\nwhen\n" not in WRITERS["text"].write(KINDS["one window"], False)
    assert "\nwhen\n" in WRITERS["text"].write(KINDS["400 windows"], False)


def test_text_says_what_went_wrong() -> None:
    write = WRITERS["text"].write
    assert write(failed(), True) == "gone.wav\nfailed (missing): there is no such file\n"
    assert "\npartial (corrupt): it broke off\n\n○ woodwind" in write(KINDS["partial"], False)
    assert write(silent(), True) == (
        "hush.wav\n0:20, model tiny\n"
        "nothing heard (silent): nothing in this file is louder than -80 dB\n"
    )
    assert " ".join(write(KINDS["no look"], True).split()).count(NO_LOOK) == 1


# words


def test_why_names_strangers_as_strangers(trio: Tags) -> None:
    look = dict.fromkeys(trio.taxonomy.tags, 0.0) | {"piano": 0.9, "organ": 0.1}
    groups = (replace(trio.groups[0], attention=look),)
    assert list(why(replace(trio, groups=groups))) == [
        "woodwind was heard through instruments beyond the family: piano (90% of its attention), "
        "organ (10%); flute, heard at 75%, was given little attention (0%); clarinet, heard at "
        "50%, was given little attention (0%)"
    ]


def test_why_is_not_heard_through_what_was_not_heard(trio: Tags) -> None:
    look = dict.fromkeys(trio.taxonomy.tags, 0.1) | {"banjo": 0.5}  # banjo itself is at 1%
    said = next(why(replace(trio, groups=(replace(trio.groups[0], attention=look),))))
    assert "banjo" not in said


def test_headline_says_it_in_one_sentence(trio: Tags) -> None:
    assert headline(trio) == "Piano, flute and clarinet were heard."
    assert headline(KINDS["one window"]) == "Flute was heard."
    assert headline(KINDS["no look"]) == "Drums were heard."
    assert headline(KINDS["all playing"]).endswith(" and 15 other instruments were heard.")
    assert headline(hear(DEEP, 1)) == "No instrument was heard clearly enough to be named."
    only = replace(trio, tags=tuple(replace(score, present=False) for score in trio.tags))
    assert headline(only) == "Woodwind was heard, but no single instrument clearly enough."
    assert headline(failed()) == "This file could not be heard."
    assert headline(silent()) == "There is nothing to hear in this file."


def test_headline_names_what_is_unsure_apart(doubt: Tags, trio: Tags) -> None:
    assert headline(doubt) == "Piano and flute were heard; perhaps clarinet and organ, too."
    assert headline(in_doubt(trio, "flute", "clarinet", "piano", "banjo")) == (
        "Woodwind was heard, but no single instrument clearly enough; "
        "perhaps piano, flute and 2 other instruments."
    )
    nothing = in_doubt(trio, "piano", "flute", "clarinet", "woodwind")
    assert headline(nothing) == "Nothing was heard for certain; perhaps piano, flute and clarinet."


def test_notes_name_an_unsure_likeliest(trio: Tags) -> None:
    (note, _) = in_doubt(trio, "flute", "clarinet").notes
    assert note.endswith("the likeliest is flute (75%, unsure)")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (59.6, "1:00"), (185, "3:05"), (3600, "1:00:00")]
)
def test_clock(seconds: float, said: str) -> None:
    assert clock(seconds) == said


def test_names_are_shown_so_that_a_terminal_does_not_obey_them() -> None:
    assert shown("a\x1b[31m\n\u202e\udcff") == "a\\x1b[31m\\n\\u202e\\udcff"
    assert shown("Dvořák – Op. 90 「琴」") == "Dvořák – Op. 90 「琴」"


def test_columns() -> None:
    assert width("琴a\u0301") == 3
    assert clip("琴琴琴", 4) == "琴…"
    assert pad("琴", 4) == "琴  "
    assert wrap("a" * 100, first="> ", rest="  ") == ["> " + "a" * 78, "  " + "a" * 22]


def test_ticks_are_round_and_few() -> None:
    assert ticks(28, 5) == [0, 10, 20]
    assert ticks(0.4, 5) == [0]
    for end in (1, 7, 61, 599, 3600, 48 * 3600):
        assert 1 <= len(ticks(end, 5)) <= 6


def test_bins_cover_everything_once() -> None:
    windows = KINDS["400 windows"].windows
    bins = binned(windows, 67)
    assert len(bins) == 67
    assert (bins[0].start, bins[-1].end) == (0.0, 4000.0)
    assert all(left.end == right.start for left, right in pairwise(bins))
    assert [cell.start for cell in binned(windows, 1000)] == [w.start for w in windows]


# JSON

KEYS = ["file", "status", "reason", "message", "seconds", "model", "taxonomy"]
KEYS += ["tags", "groups", "windows", "notes"]


@every
@either
def test_json_is_one_line_with_the_promised_keys(kind: str, explain: bool) -> None:
    tags = KINDS[kind]
    written = WRITERS["json"].write(tags, explain)
    assert len(written.splitlines()) == 1
    data = json.loads(written)
    assert list(data) == KEYS + ["record"] * explain
    assert data["file"] == tags.file
    assert [list(row) for row in data["tags"]] == [
        ["tag", "probability", "present", "unsure"]
    ] * len(tags.tags)
    assert [row["group"] for row in data["groups"]] == [score.group for score in tags.groups]
    assert len(data["windows"]) == len(tags.windows)
    keys = ["start", "end", "tags", "groups"] + ["attention"] * explain
    assert all(list(window) == keys for window in data["windows"])


def test_json_round_trip(trio: Tags) -> None:
    data = json.loads(WRITERS["json"].write(trio, True))
    assert data["seconds"] == 28.4
    assert data["taxonomy"] == "duo"
    assert data["tags"][2] == {
        "tag": "piano",
        "probability": 0.83,
        "present": True,
        "unsure": False,
    }
    assert data["groups"][0]["attention"] == trio.groups[0].attention
    assert data["windows"][1]["tags"] == dict(
        zip(trio.taxonomy.tags, (0.1, 0.5, 0.6, 0.0, 0.01, 0.01), strict=True)
    )
    assert data["windows"][2]["end"] == 28.4
    assert data["windows"][0]["attention"]["keyboard"]["organ"] == 0.7
    assert data["record"]["tree"] == trio.taxonomy.to_dict()
    assert data["notes"] == list(trio.notes)


def same(left: Tags, right: Tags) -> bool:
    """Whether all is equal, to the last bit."""
    plain_fields = [each.name for each in fields(Tags) if each.name not in ("windows", "embedding")]
    return (
        all(getattr(left, name) == getattr(right, name) for name in plain_fields)
        and same_array(left.embedding, right.embedding)
        and len(left.windows) == len(right.windows)
        and all(map(same_window, left.windows, right.windows))
    )


def same_window(left: WindowScores, right: WindowScores) -> bool:
    return (left.start, left.end) == (right.start, right.end) and all(
        same_array(getattr(left, name), getattr(right, name))
        for name in ("tags", "groups", "attention")
    )


def same_array(left: np.ndarray | None, right: np.ndarray | None) -> bool:
    if left is None or right is None:
        return left is right
    return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())


def in_full(tags: Tags) -> Tags:
    """Tags with the numbers of a real model: float32 in all their digits, bands, an embedding."""
    numbers = np.random.default_rng(0)
    tree = tags.taxonomy

    def odd(score: TagScore | GroupScore) -> TagScore | GroupScore:
        return replace(score, probability=float(numbers.random(dtype=np.float32)))

    windows = tuple(
        replace(
            each,
            start=each.start / 3,
            tags=numbers.random(len(tree.tags), np.float32) ** 9,
            groups=numbers.random(len(tree.groups), np.float32),
        )
        for each in tags.windows
    )
    groups = tuple(
        replace(each, attention={tag: float(np.float32(w)) for tag, w in each.attention.items()})
        for each in map(odd, tags.groups)
    )
    bands = (Bands((0.7, 1 / 3), (0.1, 0.2)), Bands((2 / 3,), (0.5,)))
    return replace(
        tags,
        tags=tuple(map(odd, tags.tags)),
        groups=groups,
        windows=windows,
        seconds=tags.seconds / 7,
        embedding=numbers.normal(size=960).astype(np.float32),
        tag_bands=bands[0],
        group_bands=bands[1],
    )


@every
def test_json_with_explain_is_read_back_to_the_last_bit(kind: str) -> None:
    tags = in_full(KINDS[kind])
    line = as_json.write(tags, True)
    assert same(as_json.read(line), tags)
    assert as_json.write(as_json.read(line), True) == line
    assert line == "".join(as_json.pieces(tags, True))


def test_json_without_explain_is_read_as_far_as_it_goes(trio: Tags) -> None:
    tags = KINDS["deep"]
    found = as_json.read(as_json.write(tags, False))
    assert (found.file, found.present, found.taxonomy) == (tags.file, tags.present, tags.taxonomy)
    assert found.windows[2].attention is None
    assert [each.end for each in found.windows] == [10, 20, 30]
    with pytest.raises(ValueError, match=r"without --explain, and no built-in taxonomy .* 'duo'"):
        as_json.read(as_json.write(trio, False))


@pytest.mark.parametrize("line", ["", "[]", "3", "{}", "null", '{"record": 3}', '{"file": "a"}'])
def test_json_of_others_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="this is no line that timbretree wrote as json"):
        as_json.read(line)


def test_json_of_ten_hours_takes_little_room() -> None:
    tags = in_full(KINDS["no look"])
    window = replace(tags.windows[0], attention=np.eye(20, 7, dtype=np.float32))
    tags = replace(tags, windows=(window,) * 1440)  # of an hour
    assert len(as_json.write(tags, True)) < 1_500_000


def test_json_says_what_is_unsure(doubt: Tags) -> None:
    data = json.loads(WRITERS["json"].write(doubt, False))
    unsure = [row["tag"] for row in data["tags"] if row["unsure"]]
    assert unsure == ["clarinet", "organ"]
    assert [row["group"] for row in data["groups"] if row["unsure"]] == ["keyboard"]
    assert not any(row["present"] and row["unsure"] for row in data["tags"] + data["groups"])


def test_json_rounds_and_refuses_what_is_no_number(trio: Tags) -> None:
    odd = replace(trio, seconds=1 / 3, tags=(TagScore("flute", 2 / 3, True),))
    data = json.loads(WRITERS["json"].write(odd, False))
    assert (data["seconds"], data["tags"][0]["probability"]) == (0.333, 0.6667)
    with pytest.raises(ValueError, match="Out of range float"):
        WRITERS["json"].write(replace(trio, seconds=float("nan")), False)


def test_json_of_a_model_without_a_look_has_no_attention() -> None:
    data = json.loads(WRITERS["json"].write(KINDS["no look"], True))
    assert all(window["attention"] is None for window in data["windows"])
    assert all(group["attention"] == {} for group in data["groups"])


@pytest.mark.parametrize("file", ["caf\udce9.wav", "a\u2028b.wav", "a\x85b.wav", "a\nb.wav"])
def test_json_keeps_any_file_name(file: str) -> None:
    written = WRITERS["json"].write(failed(file=file), False)
    assert json.loads(written.encode("utf-8"))["file"] == file
    assert len(written.splitlines()) == 1
    assert "Dvořák" in WRITERS["json"].write(failed(file="Dvořák.wav"), False)


# HTML


class Page(HTMLParser):
    """Reads a page, insisting that every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> out of place"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def count(self, tag: str, **attributes: str) -> int:
        wanted = attributes.items()
        return sum(name == tag and wanted <= found.items() for name, found in self.elements)


@every
@either
def test_html_is_balanced_and_loads_and_runs_nothing(kind: str, explain: bool) -> None:
    written = WRITERS["html"].write(KINDS[kind], explain)
    page = Page(written)
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"script", "img", "link", "iframe", "b", "a"}
    )
    attributes = {name for _, found in page.elements for name in found}
    assert attributes.isdisjoint({"src", "href", "srcset", "action"})
    assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"https?:|url\(|@import", written)
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))


def test_html_shows_hostile_names_as_they_are() -> None:
    page = Page(WRITERS["html"].write(KINDS["failed, hostile"], False))
    assert shown(HOSTILE) in page.text
    page = Page(WRITERS["html"].write(KINDS["long names"], True))
    assert "<b>note</b> & xxx" in page.text
    tree = Taxonomy.from_dict({"groups": {'"><script>': ['"><img src=x>', "<td>"]}})
    page = Page(WRITERS["html"].write(hear(tree, 3, playing=tree.tags), True))
    assert page.count("script") == page.count("img") == 0
    assert page.text.count('"><img src=x>') > 3


def test_html_tells_what_is_present_by_more_than_colour(trio: Tags) -> None:
    page = Page(WRITERS["html"].write(trio, False))
    assert "Piano, flute and clarinet were heard." in page.text
    assert page.count("div", **{"class": "row heard"}) == 4
    assert page.count("div", **{"class": "row unheard"}) == 5
    assert "●piano, heard83%" in page.text
    assert "○organ, not heard6%" in page.text
    assert "Piano (83%) was heard, but the family keyboard" in page.text


def test_html_tells_what_is_unsure_in_signs_words_and_hatching(doubt: Tags, trio: Tags) -> None:
    written = WRITERS["html"].write(doubt, True)
    page = Page(written)
    assert "Piano and flute were heard; perhaps clarinet and organ, too." in page.text
    assert page.count("div", **{"class": "row heard"}) == 3
    assert page.count("div", **{"class": "row unsure"}) == 3
    assert "◐clarinet, unsure50%" in page.text
    assert "◐ unsure: it may play, but the evidence is thin" in page.text
    assert "Hatched rows (◐) are unsure" in page.text
    # clarinet, organ and the keyboard above both; in the map clarinet and organ as rows
    assert page.count("tr", **{"class": "unsure"}) == 3 + 2
    assert page.count("th", **{"class": "unsure"}) == 1
    assert re.search(r"\.unsure \.bar i \{[^}]*var\(--hatch\)", written)
    assert re.search(r"\.unsure \.lane::after \{[^}]*var\(--gaps\)", written)
    certain = Page(WRITERS["html"].write(trio, True)).text
    assert "unsure" not in certain
    assert "Hatched" not in certain


def test_html_timeline_has_a_cell_a_window(trio: Tags) -> None:
    page = Page(WRITERS["html"].write(trio, False))
    # woodwind, flute, clarinet, keyboard, piano; folded: keyboard, organ, strings, banjo, guitar
    assert page.count("div", **{"class": "lane"}) == 10
    assert page.count("i", title="0:00–0:10: 83%") == 1
    assert "3 more instruments below 10%" in page.text
    label = "piano: 83% from 0:00, 60% from 0:10, 83% from 0:20"
    assert page.count("div", **{"aria-label": label}) == 1
    assert page.count("table", **{"class": "timeline"}) == 2
    assert "When" not in Page(WRITERS["html"].write(KINDS["one window"], False)).text


def test_html_reads_out_when_each_was_heard() -> None:
    tags = hear(Taxonomy.load("tone7"), 90, playing=("flute",))
    silence = np.zeros(20, np.float32)

    def label(*quiet: int) -> str:
        windows = [
            replace(w, tags=silence) if n in quiet else w for n, w in enumerate(tags.windows)
        ]
        page = Page(WRITERS["html"].write(replace(tags, windows=tuple(windows)), False))
        lanes = [found for tag, found in page.elements if found.get("class") == "lane"]
        return next(each["aria-label"] for each in lanes if each["aria-label"].startswith("flute"))

    assert label() == "flute: heard 0:00–15:00"
    assert label(6) == "flute: heard 0:00–1:00 and 1:10–15:00"
    assert label(6, 12, 18, 24, 48, 84) == (
        "flute: heard in 7 stretches, 14:00 in all; the longest are 8:10–14:00, 4:10–8:00, "
        "0:00–1:00, 1:10–2:00 and 2:10–3:00"
    )
    assert label(*range(90)).startswith("flute: most probable at 0:00")


def test_html_where_nothing_was_heard_folds_all() -> None:
    text = Page(WRITERS["html"].write(KINDS["nothing playing"], False)).text
    assert "No instrument reaches 10%. 20 instruments below 10%" in text


def test_html_of_two_days_stays_small() -> None:
    tags = hear(Taxonomy.load("tone7"), 17_280, playing=("flute",))
    written = WRITERS["html"].write(tags, False)
    assert len(written) < 1_000_000
    assert "the most probable of the windows it covers" in written


def test_html_attention_map_is_that_of_figure_4(trio: Tags) -> None:
    page = Page(WRITERS["html"].write(trio, True))
    assert page.count("table", **{"class": "attention"}) == 1
    cells = page.count("td", **{"class": "own"})
    assert cells == 6, "each tag is framed in the column of its family"
    assert page.count("td", **{"class": "own", "style": "--p:0.62"}) == 1
    assert "Woodwind was heard through flute (62% of its attention), clarinet (20%)" in page.text
    assert "piano, heard at 83%, was given little attention (2%)." in page.text
    assert any(tag == "details" and "open" in found for tag, found in page.elements)
    folded = Page(WRITERS["html"].write(trio, False))
    assert not any(tag == "details" and "open" in found for tag, found in folded.elements)


def test_html_frames_a_tag_in_every_group_above_it() -> None:
    page = Page(WRITERS["html"].write(KINDS["deep"], True))
    own = sum(found.get("class") == "own" for tag, found in page.elements if tag == "td")
    assert own == DEEP.members.sum()


def test_html_without_a_look_or_a_sound_says_so() -> None:
    page = Page(WRITERS["html"].write(KINDS["no look"], True))
    assert page.count("table", **{"class": "attention"}) == 0
    assert "This model takes no look" in page.text
    page = Page(WRITERS["html"].write(silent(), True))
    assert page.count("section") == 0
    assert "Silence. Nothing in this file is louder than -80 dB. silent" in page.text
    page = Page(WRITERS["html"].write(failed(), True))
    assert page.count("section") == 0
    assert "Not heard. There is no such file. missing" in page.text
    page = Page(WRITERS["html"].write(KINDS["partial"], True))
    assert page.count("section") == 3
    assert "Heard in part. It broke off. corrupt" in page.text


def test_no_file_of_the_room_is_named_like_a_library() -> None:
    room = Path(sys.modules["timbretree.writers"].__file__ or "").parent
    names = {path.stem for path in room.glob("*.py")} - {"__init__"}
    assert names.isdisjoint(sys.stdlib_module_names)
    longest = max(
        (node.end_lineno or 0) - node.lineno
        for path in room.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    )
    assert longest < 60


# the card of a model


def test_the_card_shows_where_each_answer_begins() -> None:
    info = replace(read_info(SHIPPED), **UNCALIBRATED)
    plain_card = card.write(info)
    assert "calibrated   no" in plain_card
    assert "the thresholds from which each is present" in plain_card
    info = replace(
        info,
        tag_thresholds=(0.6,) * 20,
        tag_absent_below=(0.25, *(0.6,) * 19),
        tag_calibration=Calibration((2,) * 20, (1,) * 20, (0,) * 20),
    )
    shown_card = card.write(info)
    assert "calibrated   yes" in shown_card
    assert "unsure from 0.30 on, present from 0.60 on" in shown_card
    assert f"{info.taxonomy.tags[0]} 0.25–0.60" in shown_card
    assert f"{info.taxonomy.tags[1]} 0.60" in shown_card
    assert max(map(len, shown_card.splitlines())) <= 80
