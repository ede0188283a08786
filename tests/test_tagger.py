"""The tagger: windows, whole-file results, silence, short clips, other trees, words."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbretree import Clip, Tagger, Taxonomy
from timbretree.calibration import UNCALIBRATED
from timbretree.labels import Prediction
from timbretree.modelfile import SHIPPED, Listened, ModelFile
from timbretree.tagger import best_windows

RATE = 32_000
EXAMPLE = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"


class Fake(ModelFile):
    """The shipped model, but its answers are given: a list of (fine, coarse), one a window."""

    def __init__(self, *answers: tuple[dict[str, float], dict[str, float]]) -> None:
        real = Tagger().model
        self.info = dataclasses.replace(real.info, seconds=10.0, step=None)
        self.answers, self.seen = list(answers), []

    slides = False

    def listen(self, mel: np.ndarray, spans: np.ndarray | None = None) -> Listened:
        tree, tags, groups = self.info.taxonomy, [], []
        for first, last in [(0, mel.shape[1])] if spans is None else spans.tolist():
            fine, coarse = self.answers[min(len(self.seen), len(self.answers) - 1)]
            self.seen.append(last - first)
            tags.append([fine.get(tag, 0.001) for tag in tree.tags])
            groups.append([coarse.get(group, 0.001) for group in tree.groups])
        look = np.full((len(tags), 20, 7), 0.05, "f4")
        return Listened(Prediction(np.float32(tags), np.float32(groups), look), None)


def noise(seconds: float) -> Clip:
    return Clip(np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)).astype("f4"), RATE)


@pytest.mark.parametrize(
    ("seconds", "spans"),
    [
        (0.2, [(0, 0.2)]),
        (10, [(0, 10)]),
        (10.5, [(0, 5.25), (5.25, 10.5)]),
        (28, [(0, 10), (10, 19), (19, 28)]),
    ],
)
def test_windows_reach_from_the_first_second_to_the_last(
    seconds: float, spans: list[tuple[float, float]]
) -> None:
    tags = Tagger(Fake(({}, {})))(noise(seconds))
    assert [(w.start, w.end) for w in tags.windows] == [pytest.approx(span) for span in spans]
    assert tags.seconds == pytest.approx(seconds)


def test_windows_that_overlap_tell_of_what_is_nearest_to_their_middle() -> None:
    model = Fake(*(({"piano": p}, {}) for p in (0.1, 0.2, 0.3, 0.4)))
    model.info = dataclasses.replace(model.info, step=5.0)
    tags = Tagger(model)(noise(24))
    spans = [(0, 7.5), (7.5, 12.5), (12.5, 17), (17, 24)]  # 0-10, 5-15, 10-20 and 14-24
    assert [(w.start, w.end) for w in tags.windows] == [pytest.approx(span) for span in spans]
    assert model.seen == [1000] * 4


def test_a_file_is_as_probable_as_its_best_quarter() -> None:
    answers = [({"piano": p}, {"keyboard": p}) for p in (0.1, 0.9, 0.2, 0.7, 0.1, 0.1, 0.1, 0.1)]
    tags = Tagger(Fake(*answers))(noise(80))
    assert {score.tag: score.probability for score in tags.tags}["piano"] == pytest.approx(0.8)
    for count, alone, overlapping in ((1, 1, 1), (3, 1, 2), (9, 3, 3)):
        said = np.zeros((count, 3))
        assert best_windows(said, overlap=False).shape == (alone, 3)
        assert best_windows(said, overlap=True).shape == (overlapping, 3)


def test_silence_is_not_shown_to_the_network(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(25 * RATE, "f4"), RATE)
    model = Fake(({"piano": 1.0}, {"keyboard": 1.0}))
    tags = Tagger(model)(tmp_path / "silent.wav")
    assert (tags.status, tags.reason, tags.present, model.seen) == ("ok", "silent", [], [])
    assert len(tags.windows) == 3
    half = np.concatenate([np.zeros(10 * RATE, "f4"), noise(10).samples])
    tags = Tagger(model)(Clip(half, RATE))
    assert (tags.reason, len(model.seen)) == (None, 1)
    assert [float(window.tags.max()) for window in tags.windows] == [0.0, 1.0]


def test_a_short_clip_is_followed_by_silence_up_to_three_seconds() -> None:
    model = Fake(({}, {}))
    Tagger(model)(noise(0.2))
    Tagger(model)(noise(4))
    assert model.seen == [300, 400]


def test_disagreement_is_said_in_words() -> None:
    agree = Tagger(Fake(({"piano": 0.99}, {"keyboard": 0.99})))(noise(10))
    assert agree.notes == ()
    group_alone = Tagger(Fake(({"flute": 0.001}, {"woodwind": 0.99})))(noise(10))
    assert "no instrument of it clearly enough" in group_alone.notes[0]
    tag_alone = Tagger(Fake(({"piano": 0.99}, {})))(noise(10))
    assert "the family keyboard as a whole only at" in tag_alone.notes[0]


def test_between_its_two_thresholds_a_tag_is_unsure() -> None:
    model = Fake(({"piano": 0.6, "organ": 0.4, "flute": 0.4}, {"keyboard": 0.6, "woodwind": 0.4}))
    model.info = dataclasses.replace(
        model.info,
        tag_thresholds=(0.5,) * 20, group_thresholds=(0.5,) * 7,
        tag_absent_below=(0.3,) * 20, group_absent_below=(0.3,) * 7,
    )  # fmt: skip
    tags = Tagger(model)(noise(10))
    assert (tags.present, sorted(tags.unsure)) == (["piano"], ["flute", "organ"])
    groups = {score.group: (score.present, score.unsure) for score in tags.groups}
    assert groups["keyboard"] == (True, False)
    assert groups["woodwind"] == (False, True)
    assert groups["brass"] == (False, False)
    # in another tree a family is present if one of its tags is, else unsure if one is
    tree = Taxonomy.from_dict(
        {
            "groups": {
                "keys": ["piano", "organ"],
                "pipes": ["flute", "trumpet"],
                "others": [t for t in tags.taxonomy.tags
                           if t not in ("piano", "organ", "flute", "trumpet")],
            },
            "tags": list(tags.taxonomy.tags),
        }
    )  # fmt: skip
    again = Tagger(model, taxonomy=tree)(noise(10))
    assert {score.group: (score.present, score.unsure) for score in again.groups} == {
        "keys": (True, False), "pipes": (False, True), "others": (False, False),
    }  # fmt: skip


def test_a_file_of_before_calibration_is_never_unsure() -> None:
    model = ModelFile(SHIPPED)
    model.info = dataclasses.replace(model.info, **UNCALIBRATED)
    tags = Tagger(model)(EXAMPLE)
    assert tags.unsure == []
    assert not any(score.unsure for score in tags.groups)


@pytest.mark.parametrize("name", ["strings6", "hornbostel_sachs"])
def test_another_tree_over_the_same_tags(name: str) -> None:
    tree = Taxonomy.load(name)
    tags = Tagger(Fake(({"piano": 0.99, "flute": 0.4}, {})), taxonomy=tree)(noise(10))
    for score in tags.groups:
        below = [each for each in tags.tags if each.tag in tree.below(score.group)]
        assert score.probability == max(each.probability for each in below)
        assert score.present == any(each.present for each in below)
        assert sum(score.attention.values()) == 1
    assert "not learned by the model" in tags.notes[-1]


def test_a_tree_of_other_tags_is_refused() -> None:
    tree = Taxonomy.from_dict({"groups": {"strings": ["violin", "viola"]}})
    with pytest.raises(ValueError, match=r"differ in .*viola"):
        Tagger(taxonomy=tree)


def test_a_clip_a_file_and_another_rate_say_the_same(tmp_path: Path) -> None:
    clip = noise(10)
    soundfile.write(tmp_path / "a.wav", clip.samples, RATE, subtype="FLOAT")
    tagger = Tagger()
    from_clip, from_file = tagger(clip), tagger(tmp_path / "a.wav")
    assert [s.probability for s in from_clip.tags] == pytest.approx(
        [s.probability for s in from_file.tags], abs=1e-5
    )


def test_one_bad_file_does_not_taint_the_next(tmp_path: Path) -> None:
    (tmp_path / "bad.mp3").write_text("no music")
    tagger = Tagger()
    before = tagger(EXAMPLE)
    bad = tagger(tmp_path / "bad.mp3")
    after = tagger(EXAMPLE)
    assert (bad.status, bad.reason, bad.tags, bad.windows) == ("failed", "not_audio", (), ())
    assert before.tags == after.tags


@pytest.mark.parametrize("samples", [0, 1, 3_100])
def test_a_clip_of_nearly_nothing_fails_by_name(samples: int) -> None:
    tags = Tagger()(Clip(np.zeros(samples, "f4"), RATE))
    assert (tags.status, tags.reason) == ("failed", "too_short")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_damaged_clip_is_heard_as_far_as_it_goes(bad: float) -> None:
    good, damaged = noise(10), noise(10)
    damaged.samples[500] = bad
    tags = Tagger()(damaged)
    assert (tags.status, tags.reason) == ("partial", "not_finite")
    assert np.isnan(damaged.samples[500]) or damaged.samples[500] > 1e20  # the caller's own stays
    assert [score.probability for score in tags.tags] == pytest.approx(
        [score.probability for score in Tagger()(good).tags], abs=0.05
    )


def test_the_example_is_heard_where_it_plays() -> None:
    tags = Tagger()(EXAMPLE)

    def heard(tag: str, second: float) -> bool:
        """Whether the timeline has it there."""
        row = tags.taxonomy.tags.index(tag)
        window = next(each for each in tags.windows if each.start <= second < each.end)
        return bool(window.tags[row] > 0.5)

    assert set(tags.present) == {"piano", "violin", "trumpet", "drums", "cymbals"}
    assert [heard("piano", second) for second in (4, 9)] == [True, True]
    assert [heard("violin", second) for second in (4, 13, 16)] == [False, True, True]
    for tag in ("trumpet", "drums", "cymbals"):
        assert [heard(tag, second) for second in (4, 14, 25)] == [False, False, True]


@pytest.mark.parametrize("hop", [0.0, 0.09, 5.1, -1.0, float("nan")])
def test_a_hop_of_nonsense_is_refused(hop: float) -> None:
    with pytest.raises(ValueError, match=r"expected a hop from 0\.1 to 5 seconds, .*got"):
        Tagger(hop=hop)


def test_a_timeline_with_a_hop() -> None:
    tags = Tagger(hop=1)(noise(12))
    starts = [window.start for window in tags.windows]
    assert starts == pytest.approx([0, 3, 4, 5, 6, 7, 8, 9])
    assert [window.end for window in tags.windows] == pytest.approx([*starts[1:], 12])


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(61).samples, RATE)
    for recording in (noise(61), tmp_path / "a.wav"):
        told: list[float] = []
        Tagger()(recording, on_progress=told.append)
        assert told == sorted(told)
        assert told[-1] == pytest.approx(61)
        assert np.diff([0, *told]).max() <= 5


def test_the_embedding_is_the_mean_of_what_is_not_silent() -> None:
    tagger, loud = Tagger(), noise(5)
    silence = Clip(np.zeros(5 * RATE, "f4"), RATE)
    alone = tagger(loud).embedding
    assert alone.shape == (512,)
    assert alone.dtype == np.float32
    model = tagger.model
    model.info = dataclasses.replace(model.info, step=None)
    both = Tagger(model)(Clip(np.concatenate([loud.samples, silence.samples]), RATE))
    np.testing.assert_allclose(both.embedding, alone, atol=1e-2)
    assert tagger(silence).embedding is None
    assert tagger(Clip(np.zeros(0, "f4"), RATE)).embedding is None


def test_a_file_that_tells_no_embedding_and_no_spans(tmp_path: Path) -> None:
    """As model files were before."""
    import onnx

    model = onnx.load(SHIPPED)
    graph = model.graph
    for name in ("embedding", "moments"):
        del graph.output[[each.name for each in graph.output].index(name)]
    for name in ("spans", "past"):
        del graph.input[[each.name for each in graph.input].index(name)]
    onnx.save(model, tmp_path / "old.onnx")
    file = ModelFile(tmp_path / "old.onnx")
    assert (file.slides, ModelFile(SHIPPED).slides) == (False, True)
    old, new = Tagger(file, hop=1)(EXAMPLE), Tagger(hop=1)(EXAMPLE)
    assert old.embedding is None
    assert [window.start for window in old.windows] == [window.start for window in new.windows]
    assert set(old.present) == set(new.present)
