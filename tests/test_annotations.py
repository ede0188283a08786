"""Who learns from what: taking parts, and holding some clips out for validation."""

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timbretree.annotations import (
    AnnotationError,
    Annotations,
    hold_out,
    hold_out_artists,
    read_split,
    write_split,
)
from timbretree.labels import Labels


def openmic_like(clips: int = 600, tags: int = 5, tests: int = 100) -> Annotations:
    """Sparse labels: each cell seen in a third of the clips; the first clips are for testing."""
    noise = np.random.default_rng(0)
    labels = Labels(*(noise.random((2, clips, tags)) < [[[0.5]], [[0.33]]]))
    splits = ("test",) * tests + ("train",) * (clips - tests)
    files = tuple(Path(f"{number}.wav") for number in range(clips))
    return Annotations(tuple("abcdefgh"[:tags]), files, labels, splits)


def test_taking_some_clips_keeps_what_belongs_together() -> None:
    whole = openmic_like()
    some = whole.take(np.array([150, 7, 7]))
    assert some.files == (Path("150.wav"), Path("7.wav"), Path("7.wav"))
    assert some.splits == ("train", "test", "test")
    np.testing.assert_array_equal(some.labels.target, whole.labels.target[[150, 7, 7]])
    np.testing.assert_array_equal(some.labels.mask, whole.labels.mask[[150, 7, 7]])
    assert len(some) == 3
    assert some.artists is None
    assert (len(whole.part("test")), len(whole.part("valid")), len(whole)) == (100, 0, 600)
    assert whole.part("test").files == whole.files[:100]


def test_held_out_clips_are_stratified_over_present_and_absent() -> None:
    whole = openmic_like()
    held = hold_out(whole)
    assert held.splits[:100] == whole.splits[:100]  # what is for testing stays so
    assert (held.files, held.labels) == (whole.files, whole.labels)
    valid = np.array(held.splits) == "valid"
    assert valid[100:].mean() == pytest.approx(0.15, abs=0.01)
    train = np.array(whole.splits) == "train"
    for plays in (True, False):
        cells = (held.labels.target == plays) & held.labels.mask
        share = cells[valid].sum(axis=0) / cells[train].sum(axis=0)
        np.testing.assert_allclose(share, 0.15, atol=0.02)


def test_absent_labels_are_held_out_in_proportion_too() -> None:
    """Stratified on the present labels alone, two of these tags drift by 6 points and more."""
    noise = np.random.default_rng(3)
    target = noise.random((400, 12)) < 0.15
    labels = Labels(target, noise.random((400, 12)) < 0.1)
    files = tuple(Path(str(number)) for number in range(400))
    held = hold_out(Annotations(tuple("abcdefghijkl"), files, labels, ("train",) * 400))
    valid = np.array(held.splits) == "valid"
    absent = ~labels.target & labels.mask
    share = absent[valid].sum(axis=0) / absent.sum(axis=0)
    np.testing.assert_allclose(share, 0.15, atol=0.03)


def test_the_seed_decides() -> None:
    whole = openmic_like()
    assert hold_out(whole, seed=1).splits == hold_out(whole, seed=1).splits
    assert hold_out(whole, seed=1).splits != hold_out(whole, seed=2).splits


def test_another_share_and_clips_that_are_valid_already() -> None:
    whole = openmic_like()
    whole = Annotations(whole.tags, whole.files, whole.labels, ("valid",) * 10 + whole.splits[10:])
    held = hold_out(whole, share=0.3)
    assert held.splits[:100] == whole.splits[:100]
    assert held.splits.count("valid") - 10 == pytest.approx(150, abs=5)


@pytest.mark.parametrize("share", [0, 1, -0.1, 15, float("nan")])
def test_shares_that_are_none(share: float) -> None:
    for hold in (hold_out, hold_out_artists):
        with pytest.raises(AnnotationError, match=r"share .* is between 0 and 1, got"):
            hold(by_artists(), share=share)


@pytest.mark.parametrize("clips", [0, 1])
def test_too_few_to_hold_any_out(clips: int) -> None:
    with pytest.raises(AnnotationError, match=f"there are {clips} training clips"):
        hold_out(openmic_like(clips=10 + clips, tests=10))


def by_artists(clips: int = 3000, artists: int = 800, tags: int = 20, seed: int = 0) -> Annotations:
    """Labels as sparse as OpenMIC's (a tenth of the cells, 43 % of them present); a few artists
    made many of the clips, and each keeps to some instruments."""
    noise = np.random.default_rng(seed)
    fame = 1 / np.arange(1, artists + 1) ** 0.7
    owner = noise.choice(artists, clips, p=fame / fame.sum())
    likes = np.where(noise.random((artists, tags)) < 0.43, 0.8, 0.15)
    target = noise.random((clips, tags)) < likes[owner]
    labels = Labels(target, noise.random((clips, tags)) < 0.104)
    files = tuple(Path(f"{number}.wav") for number in range(clips))
    names = tuple(f"artist {number}" for number in owner)
    return Annotations(tuple(map(str, range(tags))), files, labels, ("train",) * clips, names)


def sides(annotations: Annotations) -> dict[str, set[str]]:
    """The artists of each split."""
    assert annotations.artists is not None
    pairs = set(zip(annotations.splits, annotations.artists, strict=True))
    return {name: {by for split, by in pairs if split == name} for name in ("train", "valid")}


def shares(before: Annotations, after: Annotations) -> np.ndarray:
    """How much of the training clips and of the labels in them is in valid: of the clips, of each
    tag's present labels, of its absent labels."""
    train = np.array(before.splits) == "train"
    held = train & (np.array(after.splits) == "valid")
    target, mask = before.labels
    columns = [np.ones(len(before), bool), *(target & mask).T, *(~target & mask).T]
    return np.array(
        [column[held].sum() / column[train].sum() for column in columns if column[train].any()]
    )


def test_taking_some_clips_keeps_their_artists() -> None:
    whole = by_artists()
    some = whole.take(np.array([150, 7, 7]))
    assert whole.artists is not None
    assert some.artists == (whole.artists[150], whole.artists[7], whole.artists[7])
    assert whole.part("test").artists == ()


@pytest.mark.parametrize(
    ("clips", "artists", "share", "bound"), [(15_000, 4000, 0.15, 0.003), (3000, 800, 0.3, 0.01)]
)
def test_artists_stay_together_and_tags_in_proportion(
    clips: int, artists: int, share: float, bound: float
) -> None:
    """15,000 clips are as many as OpenMIC's training part: no share is off by 0.3 points, where
    artists drawn by lot are off by 4 and more."""
    whole = by_artists(clips, artists)
    held = hold_out_artists(whole, share=share)
    assert (held.files, held.labels, held.artists) == (whole.files, whole.labels, whole.artists)
    assert set(held.splits) == {"train", "valid"}
    found = sides(held)
    assert not found["train"] & found["valid"]
    assert len(shares(whole, held)) == 41
    np.testing.assert_allclose(shares(whole, held), share, atol=bound)


@given(st.integers(2, 9), st.integers(0, 1000), st.sampled_from([0.15, 0.3, 0.5, 0.9]))
def test_few_artists_are_divided_as_well_as_can_be(artists: int, seed: int, share: float) -> None:
    """Brute force: all divisions of a few artists, by the squares of the shares that are off."""
    whole = by_artists(clips=60, artists=artists, tags=3, seed=seed)
    assert whole.artists is not None
    names = sorted(set(whole.artists))

    def off(valid: set[str]) -> float:
        splits = ["valid" if by in valid else "train" for by in whole.artists or ()]
        return float(((shares(whole, replace(whole, splits=tuple(splits))) - share) ** 2).sum())

    divisions = [
        set(chosen)
        for count in range(1, len(names))
        for chosen in itertools.combinations(names, count)
    ]
    found = sides(hold_out_artists(whole, share=share, seed=seed))
    assert found["valid"] in divisions  # no artist is torn, no side is empty
    assert found["train"] == set(names) - found["valid"]
    assert off(found["valid"]) <= min(off(other) for other in divisions) + 1e-9


def test_the_seed_decides_about_artists_and_nothing_else_does() -> None:
    whole = by_artists()
    one = hold_out_artists(whole, seed=1)
    assert one.splits == hold_out_artists(whole, seed=1).splits
    assert one.splits != hold_out_artists(whole, seed=2).splits
    order = np.random.default_rng(0).permutation(len(whole))
    assert hold_out_artists(whole.take(order), seed=1).splits == one.take(order).splits


def test_clips_that_have_their_split_already() -> None:
    whole = by_artists()
    splits = ("valid",) * 40 + ("test",) * 400 + whole.splits[440:]
    whole = replace(whole, splits=splits)
    held = hold_out_artists(whole, share=0.3)
    assert held.splits[:440] == splits[:440]
    found, before = sides(held), sides(whole)
    assert before["valid"] <= found["valid"]
    assert not found["train"] & found["valid"]
    np.testing.assert_allclose(shares(whole, held), 0.3, atol=0.02)


def test_too_few_artists_to_hold_any_out() -> None:
    whole = by_artists(clips=10)
    with pytest.raises(AnnotationError, match="name a column of artists"):
        hold_out_artists(replace(whole, artists=None))
    with pytest.raises(AnnotationError, match="of 1 artists, 0 of them in valid already"):
        hold_out_artists(replace(whole, artists=("one",) * 10))
    whole = replace(whole, artists=("one", "two") * 5, splits=("valid",) * 2 + ("train",) * 8)
    with pytest.raises(AnnotationError, match="of 2 artists, 2 of them in valid already"):
        hold_out_artists(whole)
    with pytest.raises(AnnotationError, match="there are 1 training clips"):
        hold_out_artists(whole.take(np.array([0, 1, 2])))


def placed(folder: Path) -> Annotations:
    whole = by_artists(clips=60, artists=20)
    files = tuple(folder / f"{number % 7}" / f"ä{number}.wav" for number in range(60))
    return replace(whole, files=files)


@pytest.mark.parametrize("hold", [hold_out, hold_out_artists])
def test_a_split_is_written_and_read_back(tmp_path: Path, hold: type[hold_out]) -> None:
    whole = placed(tmp_path / "here")
    held = hold(whole, share=0.2, seed=7)
    by = "artist" if hold is hold_out_artists else "clip"
    write_split(tmp_path / "split.json", held, seed=7, share=0.2, by=by)
    back = read_split(tmp_path / "split.json", whole)
    assert back.splits == held.splits
    assert (back.files, back.labels, back.artists) == (whole.files, whole.labels, whole.artists)
    record = json.loads((tmp_path / "split.json").read_text("utf-8"))
    assert (record["seed"], record["share"], record["by"]) == (7, 0.2, by)
    again = hold(whole, share=record["share"], seed=record["seed"])
    assert again.splits == held.splits


def test_a_split_goes_with_the_clips_wherever_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold_out(placed(tmp_path / "here"))
    write_split(tmp_path / "split.json", held, seed=np.int64(0))
    assert str(tmp_path) not in (tmp_path / "split.json").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / "there" / "deep", Path("there"), Path()):
        order = np.random.default_rng(0).permutation(60)
        moved = placed(folder).take(order)
        assert read_split(tmp_path / "split.json", moved).splits == held.take(order).splits


def test_one_clip_alone(tmp_path: Path) -> None:
    one = placed(tmp_path).take(np.array([3]))
    write_split(tmp_path / "split.json", replace(one, splits=("test",)), seed=0)
    assert read_split(tmp_path / "split.json", one).splits == ("test",)


def test_a_split_of_other_clips(tmp_path: Path) -> None:
    whole, path = placed(tmp_path), tmp_path / "split.json"
    write_split(path, whole.take(np.arange(59)), seed=0)
    with pytest.raises(AnnotationError, match=r"split\.json: it does not say .* 3/ä59\.wav is"):
        read_split(path, whole)
    write_split(path, whole, seed=0)
    with pytest.raises(AnnotationError, match=r"split\.json: it names 3/ä59\.wav, which is not in"):
        read_split(path, whole.take(np.arange(59)))
    with pytest.raises(AnnotationError, match=r"1/ä1\.wav is there twice"):
        write_split(path, whole.take(np.array([0, 1, 2, 1])), seed=0)
    assert read_split(path, whole).splits == whole.splits


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ('{"splits": {"0/ä0.wav": "train"', "damaged"),
        ("[]", 'damaged, it has no "splits"'),
        ("{}", 'damaged, it has no "splits"'),
        ('{"splits": []}', 'damaged, it has no "splits"'),
        (
            '{"splits": {"0/ä0.wav": "dev"}}',
            r"0/ä0\.wav: expected one of train, valid, test, got 'de",
        ),
        ('{"splits": {"0/ä0.wav": ["train"]}}', r"0/ä0\.wav: expected one of"),
    ],
)
def test_damaged_splits(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text, "utf-8")
    with pytest.raises(AnnotationError, match=words) as caught:
        read_split(path, placed(tmp_path))
    assert str(path) in str(caught.value)


def test_splits_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="No such file"):
        read_split(tmp_path / "split.json", placed(tmp_path))
    (tmp_path / "split.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(AnnotationError, match="damaged"):
        read_split(tmp_path / "split.json", placed(tmp_path))


def test_a_split_is_written_at_once_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, path = placed(tmp_path), tmp_path / "split.json"
    write_split(path, whole, seed=0)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        assert path.read_bytes() == before  # all is written, and none of it there
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_split(path, hold_out(whole), seed=0)
    assert path.read_bytes() == before
