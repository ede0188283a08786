"""When each instrument plays: windows joined to spans by the answers of the model."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timbretree import Tagger
from timbretree.audio import Clip
from timbretree.bands import Bands
from timbretree.spans import Span, family_spans, seconds_of, spans
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy("two", ("flute", "drums"), {"woodwind": ("flute",), "percussion": ("drums",)})
BANDS = Bands((0.6, 0.6), (0.2, 0.2))


def recording(*rows: tuple[float, float], worth: str = "present") -> Tags:
    """Windows of 2 s, each with the probabilities of both; of the whole, both say ``worth``."""
    windows = tuple(
        WindowScores(2.0 * n, 2.0 * n + 2, np.array(row, "f"), np.array(row, "f"), None)
        for n, row in enumerate(rows)
    )
    said = worth == "present", worth == "unsure"
    return Tags(
        "a.wav",
        "tiny",
        TREE,
        seconds=2.0 * len(rows),
        tags=tuple(TagScore(tag, 0.5, *said) for tag in TREE.tags),
        groups=tuple(GroupScore(group, 0.5, said[0], {}, said[1]) for group in TREE.groups),
        windows=windows,
        tag_bands=BANDS,
        group_bands=BANDS,
    )


def test_windows_that_say_the_same_are_one_span() -> None:
    tags = recording((0.8, 0.0), (0.7, 0.3), (0.3, 0.9), (0.1, 0.9), (0.9, 0.1))
    found = spans(tags)
    assert [(each.name, each.start, each.end, each.unsure) for each in found] == [
        ("flute", 0, 4, False),
        ("drums", 2, 4, True),
        ("flute", 4, 6, True),
        ("drums", 4, 8, False),
        ("flute", 8, 10, False),
    ]
    assert found[0].probability == pytest.approx(0.75)
    assert seconds_of(found) == {"flute": 6, "drums": 4}
    names = [each.name for each in family_spans(tags)]
    assert names == ["woodwind", "percussion", "woodwind", "percussion", "woodwind"]


def test_a_span_counts_its_windows_as_long_as_they_last() -> None:
    tags = recording((0.9, 0.0), (0.6, 0.0))
    longer = replace(tags.windows[0], end=6.0), replace(tags.windows[1], start=6.0, end=8.0)
    (span,) = spans(replace(tags, windows=longer))
    assert span.probability == pytest.approx((6 * 0.9 + 2 * 0.6) / 8)


def test_what_is_absent_over_the_whole_has_no_unsure_spans_but_its_present_ones() -> None:
    tags = recording((0.3, 0.7), (0.3, 0.3), worth="absent")
    assert [(each.name, each.unsure) for each in spans(tags)] == [("drums", False)]


def test_thresholds_are_compared_as_the_tagger_does() -> None:
    edge = float(np.float32(0.6))  # a little above 0.6
    assert spans(recording((edge, 0.0)))[0].unsure is False
    below = float(np.nextafter(np.float32(0.6), np.float32(0)))
    assert spans(recording((below, 0.0)))[0].unsure is True


def test_without_thresholds_even_odds_decide() -> None:
    tags = replace(recording((0.5, 0.49)), tag_bands=None, group_bands=None)
    assert spans(tags) == [Span("flute", 0, 2, 0.5)]
    assert [each.name for each in family_spans(tags)] == ["woodwind"]


def test_families_that_were_not_learned_play_where_their_instruments_do() -> None:
    tags = replace(recording((0.7, 0.3), (0.1, 0.3)), group_bands=None)
    assert [(each.name, each.end, each.unsure) for each in family_spans(tags)] == [
        ("woodwind", 2, False),
        ("percussion", 4, True),
    ]


def test_nothing_heard_has_no_spans() -> None:
    failed = Tags("gone.wav", "tiny", TREE, "failed", "missing", "there is no such file")
    assert spans(failed) == family_spans(failed) == []
    assert seconds_of([]) == {}


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), max_size=9))
def test_spans_cover_each_answer_once_and_do_not_touch(rows: list[tuple[float, float]]) -> None:
    tags = recording(*rows)
    for name, place in (("flute", 0), ("drums", 1)):
        mine = [each for each in spans(tags) if each.name == name]
        assert all(0 <= each.probability <= 1 for each in mine)
        for left, right in pairwise(mine):
            assert left.end <= right.start
            assert left.end < right.start or left.unsure != right.unsure
        said = [row[place] for row in rows]
        assert sum(each.seconds for each in mine if not each.unsure) == 2 * sum(
            p >= 0.6 for p in said
        )
        assert sum(each.seconds for each in mine) == 2 * sum(p >= 0.2 for p in said)


def test_the_tagger_says_where_its_answers_begin() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 8000).astype("f")
    tagger = Tagger()
    tags = tagger(Clip(noise, 8000))
    assert tags.tag_bands is not None
    assert tags.tag_bands.present_from == tagger.info.tag_thresholds
    assert tags.group_bands is not None
    other = Tagger(taxonomy=Taxonomy.load("audioset9"))(Clip(noise, 8000))
    assert other.tag_bands == tags.tag_bands
    assert other.group_bands is None
    # of one window, the whole says what its window says
    present = {score.tag for score in tags.tags if score.present}
    assert {span.name for span in spans(tags) if not span.unsure} == present
