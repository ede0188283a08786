"""The report: clips found by search are what they are called, and the page stands alone."""

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies import GAINS, make_study, some_answers
from timbretree.experiment.examples import KINDS, Example, caption, find
from timbretree.experiment.ledger import Heard, Study
from timbretree.experiment.report import write_report
from timbretree.experiment.statistics import compare
from timbretree.experiment.story import facts, failures, headline
from timbretree.labels import Labels, Prediction
from timbretree.taxonomy import Taxonomy

HOSTILE = "<script>alert('x')</script>\"&$\\frac{.ogg"
DEEP = Taxonomy.load("hornbostel_sachs")
TOY = Taxonomy("toy", ("low_hum", "whistle"), {"below": ("low_hum",), "above": ("whistle",)})
VOID = {"meta", "link", "br", "hr", "img", "input"}


# the search for the clips of Fig. 4


def heard_in(study: Study, clip: int, tag: int, heard: Heard) -> bool:
    return bool(heard.prediction.fine[clip, tag] >= heard.tag_thresholds[tag])


def group_heard_in(study: Study, clip: int, group: int, heard: Heard) -> bool:
    return bool(heard.prediction.coarse[clip, group] >= heard.group_thresholds[group])


def by_hand(study: Study, heard: Heard) -> dict[str, Example | None]:
    """The definitions of the three kinds, cell by cell."""
    tree, fine, coarse = study.taxonomy, study.fine, study.coarse
    best: dict[str, tuple[float, Example] | None] = dict.fromkeys(KINDS)

    def offer(kind: str, rank: float, example: Example) -> None:
        if best[kind] is None or rank > best[kind][0]:
            best[kind] = (rank, example)

    for clip in range(len(study.files)):
        tags = [f for f in range(len(tree.tags)) if fine.mask[clip, f]]
        groups = [k for k in range(len(tree.groups)) if coarse.mask[clip, k]]
        wrong = [k for k in groups
                 if group_heard_in(study, clip, k, heard) != coarse.target[clip, k]]  # fmt: skip
        playing = sum(bool(fine.target[clip, f]) for f in tags)
        right = all(heard_in(study, clip, f, heard) == fine.target[clip, f] for f in tags)
        if right and not wrong and playing:
            offer("right", playing, Example("right", clip))
        for k in wrong:
            off = abs(heard.prediction.coarse[clip, k] - float(coarse.target[clip, k]))
            offer("wrong", off, Example("wrong", clip, group=tree.groups[k]))
        for f in tags:
            k = tree.groups.index(tree.parents[tree.tags[f]])
            kept = k in groups and not coarse.target[clip, k]
            kept = kept and not group_heard_in(study, clip, k, heard)
            if kept and not fine.target[clip, f] and heard_in(study, clip, f, heard):
                drop = heard.prediction.fine[clip, f] - heard.prediction.coarse[clip, k]
                offer("rescued", drop, Example("rescued", clip, tree.tags[f], tree.groups[k]))
    return {kind: entry and entry[1] for kind, entry in best.items()}


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    clips=st.integers(1, 12),
    tree=st.sampled_from([DEEP, TOY, Taxonomy.load("tone7")]),
    steps=st.sampled_from([3, 100]),
)
def test_clips_are_what_the_definitions_say(
    seed: int, clips: int, tree: Taxonomy, steps: int
) -> None:
    random = np.random.default_rng(seed)
    shape = (clips, len(tree.tags))
    fine = Labels(random.random(shape) < 0.5, random.random(shape) < 3 / shape[1])
    # few different probabilities make many equals, of which the first must win
    said = Prediction(
        np.round(random.random(shape) * steps) / steps,
        np.round(random.random((clips, len(tree.groups))) * steps) / steps,
    )
    thresholds = (np.round(random.random(k) * steps) / steps for k in (shape[1], len(tree.groups)))
    heard = Heard(said, *map(tuple, thresholds))
    base = make_study(clips=clips, tree=tree, seeds=1)
    study = replace(base, fine=fine, coarse=tree.lift(fine))
    assert find(study, heard) == by_hand(study, heard)


def scene(said: list[float], groups: list[float], *, labels: str, share: float = 0.04):
    """One clip of a keyboard and a woodwind family; labels: + plays, - absent, ? unknown."""
    tree = Taxonomy.from_dict(
        {"name": "duo", "groups": {"keyboard": ["piano", "organ"], "wood": ["flute"]}}
    )
    fine = Labels(np.array([[sign == "+" for sign in labels]]),
                  np.array([[sign != "?" for sign in labels]]))  # fmt: skip
    attention = np.array([[[share, 0.05], [0.9 - share, 0.05], [0.1, 0.9]]])
    prediction = Prediction(np.array([said]), np.array([groups]), attention)
    heard = Heard(prediction, (0.5, 0.5, 0.5), (0.4, 0.4))
    study = replace(make_study(clips=1, tree=tree, seeds=1), fine=fine, coarse=tree.lift(fine))
    return study, heard


def test_the_case_of_the_paper_in_plain_words() -> None:
    study, heard = scene([0.83, 0.01, 0.9], [0.09, 0.7], labels="-?+")
    found = find(study, heard)
    assert found["rescued"] == Example("rescued", 0, "piano", "keyboard")
    assert caption(study, heard, found["rescued"]) == [
        "Piano was wrongly heard at 83%; the keyboard group gave it 4% of its attention and "
        "stayed at 9%, below its threshold of 40%.",
        "Wood was heard through flute (90% of its attention).",
    ]
    assert (found["right"], found["wrong"]) == (None, None)


@pytest.mark.parametrize(
    ("labels", "groups", "words"),
    [
        ("-?+", [0.88, 0.7], "Keyboard was wrongly heard at 88% (the threshold is 40%); nobody "
         "listened for organ, so the label may be at fault."),
        ("--+", [0.88, 0.7], "Keyboard was wrongly heard at 88% (the threshold is 40%)."),
        ("++-", [0.12, 0.1], "Keyboard was missed at 12% (the threshold is 40%), though piano and "
         "organ play."),
        ("+-?", [0.12, 0.1], "Keyboard was missed at 12% (the threshold is 40%), though piano "
         "plays."),
    ],
)  # fmt: skip
def test_a_wrong_group_in_plain_words(labels: str, groups: list[float], words: str) -> None:
    study, heard = scene([0.1, 0.1, 0.9], groups, labels=labels)
    assert caption(study, heard, find(study, heard)["wrong"])[0] == words


def test_a_right_clip_in_plain_words() -> None:
    study, heard = scene([0.9, 0.1, 0.9], [0.9, 0.9], labels="+-+")
    words = caption(study, heard, find(study, heard)["right"])
    assert words[0] == (
        "All that people said of this clip was heard right: piano and flute were heard."
    )


def test_a_caption_is_of_its_own_clip() -> None:
    first, heard = scene([0.9, 0.1, 0.9], [0.9, 0.9], labels="+-+", share=0.9)
    second, other = scene([0.9, 0.1, 0.1], [0.7, 0.1], labels="+-?", share=0.6)
    pairs = zip(heard.prediction[:3], other.prediction[:3], strict=True)
    both = replace(heard, prediction=Prediction(*map(np.concatenate, pairs)))
    pairs = zip(first.fine, second.fine, strict=True)
    fine = Labels(*map(np.concatenate, pairs))
    coarse = first.taxonomy.lift(fine)
    study = replace(first, files=("a.ogg", "b.ogg"), fine=fine, coarse=coarse)
    assert caption(study, both, Example("right", 1)) == [
        "All that people said of this clip was heard right: piano was heard.",
        "Keyboard was heard through piano (60% of its attention), organ (30%) and, beyond the "
        "family, flute (10%).",
    ]


# the headline and the facts


def test_the_headline_counts_what_the_tests_say() -> None:
    study = make_study(("flat", "lp", "gmp", "resatt"), seeds=8, lambdas=(0.8,))
    better = [
        sum(row.adjusted < 0.05 and row.difference > 0 for row in compare(study.records, measure))
        for measure in ("fine.pr_auc", "coarse.pr_auc")
    ]
    words = ["none", "one", "two", "three"]
    assert headline(study) == (
        f"Of three methods, {words[better[0]]} beat the flat baseline on the tags and "
        f"{words[better[1]]} on the groups by more than chance."
    )
    assert better[1] == 2, "LP is far worse, which is no victory"


def test_the_headline_promises_nothing_that_was_not_tested() -> None:
    assert "too few seeds" in headline(make_study(seeds=1))
    assert "no flat baseline" in headline(make_study(("gmp", "resatt")))
    assert headline(replace(make_study(), records=())) == "Nothing has been run yet."
    assert "alone" in headline(make_study(("flat",)))
    alone = make_study(("flat", "lp"), seeds=6, lambdas=(0.8,))
    assert headline(alone) == "LP does not beat the flat baseline by more than chance."
    alone = make_study(("flat", "resatt"), seeds=8, lambdas=(0.8,))
    assert headline(alone).startswith("ResAtt beats the flat baseline on")


def test_facts_say_what_was_run_and_settings_come_last() -> None:
    known = facts(make_study(seeds=3, lambdas=(0.7, 0.8)))
    assert known["Finished runs"] == str(3 + 3 * 3 * 2)
    assert known["Seeds"] == "0, 1 and 2"
    assert known["λ"] == "0.7, 0.8"
    assert list(known.items())[-1] == ("Epochs", "30")


def test_clips_left_out_are_named_with_reasons_up_to_fifty() -> None:
    left_out = {f"{number:03}.ogg": "corrupt" for number in range(53)} | {"a.ogg": "odd_code"}
    named = failures(replace(make_study(), failures=left_out))
    assert len(named) == 50
    assert named[0] == ("000.ogg", "some of the file could not be decoded; it was left out")
    few = failures(replace(make_study(), failures={"a.ogg": "odd_code"}))
    assert few == [("a.ogg", "odd_code")]


# the page


class Page(HTMLParser):
    """Reads a page and complains of what a page must not have."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        assert self.open == [], "every element is closed"
        assert len(set(self.ids)) == len(self.ids), "no id comes twice"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), "no handlers"
            assert name not in {"src", "srcset", "action", "data", "ping", "background"}
            if name in {"href", "xlink:href"}:
                assert (value or "").startswith("#")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page_of(folder: Path, study: Study) -> tuple[str, Page]:
    write_report(folder, study)
    text = (folder / "report.html").read_text("utf-8")
    return text, Page(text)


def test_the_page_stands_alone_and_escapes_all_names(tmp_path: Path) -> None:
    study = make_study()
    hostile = replace(
        study,
        name=HOSTILE,
        files=(HOSTILE,) * len(study.files),
        failures={HOSTILE: "corrupt", "b.ogg": HOSTILE},
        settings={HOSTILE: HOSTILE},
    )
    text, page = page_of(tmp_path, hostile)
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "base", "img", "form"}
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    assert "".join(page.words).count(HOSTILE) >= 6
    assert {"table", "svg", "figure", "details"} <= page.tags


def test_the_page_has_all_sections_and_all_of_table_1(tmp_path: Path) -> None:
    text, page = page_of(tmp_path, make_study(openmic=True))
    words = " ".join("".join(page.words).split())
    for title in ("What was run", "Table 1", "Where this differs", "Fig. 3", "Fig. 4",
                  "flat baseline, or only luckier", "at their word", "Instrument by instrument",
                  "How λ was chosen", "Clips left out"):  # fmt: skip
        assert title in words
    assert "mallet percussion" in words
    assert "mallet_percussion" not in text
    assert "(91.7)" in words, "the paper's figure"
    assert text.count("<svg") == 1 + 3 + 4


def test_a_page_on_other_data_has_none_of_the_papers_figures(tmp_path: Path) -> None:
    _, page = page_of(tmp_path, make_study(openmic=False))
    words = "".join(page.words)
    assert "(91.7)" not in words
    assert "not the data set of the paper" in words


def silent_on(study: Study, *methods: str) -> Study:
    return replace(study, heard={k: v for k, v in study.heard.items() if k not in methods})


def unscored(study: Study) -> Study:
    """As if nothing could be scored."""
    nothing = {
        "fine": replace(study.records[0].scores.fine, roc_auc=None, pr_auc=None, f1_both=None),
        "violations": None, "hierarchical_f1": None,
    }  # fmt: skip
    records = [replace(run, scores=replace(run.scores, **nothing)) for run in study.records]
    return replace(study, records=tuple(records))


def unobserved(study: Study) -> Study:
    """As if nobody had listened to the test clips."""
    nobody = Labels(np.zeros_like(study.fine.target), np.zeros_like(study.fine.mask))
    return replace(study, fine=nobody, coarse=study.taxonomy.lift(nobody))


ODD = {
    "one seed": make_study(seeds=1),
    "one lambda": make_study(lambdas=(0.8,)),
    "one method": make_study(("gmp",)),
    "flat alone": make_study(("flat",)),
    "no baseline": make_study(("gmp", "resatt")),
    "all methods": make_study((*GAINS, "topdown", "mcm", "resatt-kleene"), seeds=2),
    "nothing heard": silent_on(make_study(), *GAINS, "levelwise"),
    "no resatt heard": silent_on(make_study(), "resatt"),
    "three levels": make_study(tree=DEEP),
    "two tags": make_study(tree=TOY, clips=12),
    "no clips": make_study(clips=0),
    "nothing run": replace(make_study(), records=(), heard={}),
    "unscored": unscored(make_study()),
    "unobserved": unobserved(make_study()),
}


@pytest.mark.parametrize("kind", ODD)
def test_every_study_has_a_report(kind: str, tmp_path: Path) -> None:
    paths = write_report(tmp_path, ODD[kind])
    assert paths[-1].name == "report.html"
    assert sorted(paths) == sorted(tmp_path.iterdir()), "all files are named, none half-written"
    assert all(path.stat().st_size for path in paths if ODD[kind].records)
    words = "".join(Page(paths[-1].read_text("utf-8")).words)
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", words)


def test_a_kind_of_clip_that_does_not_occur_is_said_not_to(tmp_path: Path) -> None:
    study = make_study(clips=6)
    perfect = study.fine.target.astype(float)
    coarse = study.coarse.target.astype(float)
    attention = study.heard["resatt"].prediction.attention
    oracle = Heard(Prediction(perfect, coarse, attention), (0.5,) * 20, (0.5,) * 7)
    study = replace(study, heard={"resatt": oracle})
    paths = {path.name for path in write_report(tmp_path, study)}
    assert {name for name in paths if name.startswith("fig4")} == {
        "fig4_right.svg",
        "fig4_right.png",
    }
    words = " ".join((tmp_path / "report.html").read_text("utf-8").split())
    assert words.count("There is no such clip in the test split.") == 2


def test_fig_4_falls_back_on_resatt_by_the_other_rule(tmp_path: Path) -> None:
    study = make_study(("flat", "gmp", "resatt-kleene"), seeds=1, clips=80)
    _, page = page_of(tmp_path, study)
    assert "Fig. 4: where ResAtt, kleene looked" in "".join(page.words)


def test_all_files_have_their_names(tmp_path: Path) -> None:
    study = make_study(("flat", "gmp", "resatt"), seeds=2, clips=200)
    figures = [
        "fig3", "fig4_right", "fig4_wrong", "fig4_rescued",
        "reliability_flat", "reliability_gmp", "reliability_resatt",
    ]  # fmt: skip
    expected = {f"{figure}.{kind}" for figure in figures for kind in ("svg", "png")}
    tables = ("table1", "further", "per_tag", "tests", "weights")
    expected |= {f"{table}.{kind}" for table in tables for kind in ("md", "csv")}
    expected |= {"table1.tex", "report.html"}
    assert {path.name for path in write_report(tmp_path / "new" / "folder", study)} == expected


def test_the_same_study_has_the_same_report(tmp_path: Path) -> None:
    first, second = (write_report(tmp_path / name, make_study(seeds=2)) for name in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_report_that_breaks_off_leaves_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(tmp_path, make_study(seeds=1))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    replaced = os.replace

    def full_disk(source: Path, target: Path) -> None:
        if Path(target).name == "table1.csv":
            raise OSError("no space left on device")
        replaced(source, target)

    monkeypatch.setattr(os, "replace", full_disk)
    other = make_study(("flat", "gmp"), seeds=2)
    with pytest.raises(OSError, match="no space"):
        write_report(tmp_path, other)
    assert (tmp_path / "report.html").read_bytes() == before[tmp_path / "report.html"]
    assert (tmp_path / "table1.csv").read_bytes() == before[tmp_path / "table1.csv"]


def test_answers_without_attention_show_no_map(tmp_path: Path) -> None:
    study = make_study(seeds=1)
    blind = some_answers(study.taxonomy, study.fine, np.random.default_rng(1), look=False)
    _, page = page_of(tmp_path, replace(study, heard={"resatt": blind}))
    assert "There is no attention to show" in "".join(page.words)
