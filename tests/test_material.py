"""What a run learns from: which clips are held out, and that it stays so."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from timbretree.annotations import AnnotationError, Annotations
from timbretree.material import Source, with_validation
from timbretree.openmic import read_openmic
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy.load("tone7")


@pytest.fixture(scope="module")
def clips(mini_openmic: Callable[..., Path]) -> Annotations:
    """Sixty training clips of 24 artists, and their labels."""
    return read_openmic(mini_openmic(train=60, test=6, seconds=0.1))


def sides(annotations: Annotations) -> tuple[set[str], set[str]]:
    """The artists of the clips to learn from and of those to choose by."""
    assert annotations.artists is not None
    pairs = list(zip(annotations.splits, annotations.artists, strict=True))
    learn, choose = ({by for split, by in pairs if split == name} for name in ("train", "valid"))
    return learn, choose


def test_clip_by_clip_an_artist_may_be_on_both_sides_and_by_artist_not(
    clips: Annotations, tmp_path: Path
) -> None:
    source = Source(tmp_path, TREE)
    by_clip = with_validation(clips, source, tmp_path / "clip")
    by_artist = with_validation(clips, replace(source, artist="artist_id"), tmp_path / "artist")
    for held in (by_clip, by_artist):
        assert held.splits.count("valid") == pytest.approx(9, abs=3)
        assert held.splits.count("test") == 6
    learn, choose = sides(by_clip)
    assert learn & choose
    learn, choose = sides(by_artist)
    assert not learn & choose


@pytest.mark.parametrize("artist", [None, "artist_id"])
def test_what_was_held_out_is_not_drawn_again(
    clips: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artist: str | None
) -> None:
    source = Source(tmp_path, TREE, artist=artist)
    first = with_validation(clips, source, tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("what the folder says counts, whatever a new draw would bring")

    monkeypatch.setattr("timbretree.material.hold_out", fail)
    monkeypatch.setattr("timbretree.material.hold_out_artists", fail)
    assert with_validation(clips, source, tmp_path).splits == first.splits


def test_the_seed_of_the_split_decides(clips: Annotations, tmp_path: Path) -> None:
    held = [with_validation(clips, Source(tmp_path, TREE, split_seed=seed), tmp_path / run).splits
            for seed, run in ((0, "one"), (0, "two"), (1, "three"))]  # fmt: skip
    assert held[0] == held[1] != held[2]


def test_a_data_set_with_a_validation_split_of_its_own_keeps_it(
    clips: Annotations, tmp_path: Path
) -> None:
    own = replace(clips, splits=("valid", *clips.splits[1:]))
    assert with_validation(own, Source(tmp_path, TREE), tmp_path) is own
    assert not list(tmp_path.iterdir())


def test_artists_that_nobody_named(clips: Annotations, tmp_path: Path) -> None:
    nameless = replace(clips, artists=None)
    with pytest.raises(AnnotationError, match="name a column of artists, or add OpenMIC's"):
        with_validation(nameless, Source(tmp_path, TREE, artist="artist_id"), tmp_path)
    assert not list(tmp_path.iterdir())
