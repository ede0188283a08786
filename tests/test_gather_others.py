"""The maker of audio without instruments: its tables, its noise, and how it joins recordings."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

GATHER = Path(__file__).parents[1] / "models" / "gather"
KINDS = {"speech", "applause", "nature", "effects"}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(GATHER))


def table(name: str) -> list[dict[str, str]]:
    with open(GATHER / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_source_is_in_both_splits() -> None:
    import noises

    rows = [(row["package"], row["split"]) for row in table("others.csv")]
    rows += [(row["program"], row["split"]) for row in table("voices.csv")]
    rows += [(name, split) for name, (split, _, _) in noises.MADE.items()]
    train = {source for source, split in rows if split == "train"}
    dev = {source for source, split in rows if split == "dev"}
    assert train
    assert dev
    assert not train & dev
    assert {split for _, split in rows} == {"train", "dev"}


def test_every_row_says_its_kind_licence_and_author() -> None:
    for row in table("others.csv") + [{**row, "kind": "speech"} for row in table("music.csv")]:
        assert row["kind"] in KINDS
        assert row["licence"], row
        assert row["attribution"], row


def test_the_same_generator_makes_the_same_noise_and_another_another() -> None:
    import noises

    for name, (_, _, make) in noises.MADE.items():
        first, again, other = (make(16_000, np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert np.array_equal(first, again), name
        assert not np.array_equal(first, other), name
        assert first.dtype == np.float32
        assert 0.49 < np.abs(first).max() <= 0.5, name


@pytest.mark.parametrize(("name", "slope"), [("white", 0.0), ("pink", -1.0), ("brown", -2.0)])
def test_coloured_noise_has_the_slope_of_its_name(name: str, slope: float) -> None:
    import noises

    sound = noises.MADE[name][2](32_000 * 8, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(sound)) ** 2 / len(sound)
    frequency = np.fft.rfftfreq(len(sound), 1 / 32_000)
    low = power[(frequency > 200) & (frequency < 300)].mean()
    high = power[(frequency > 2000) & (frequency < 3000)].mean()
    assert abs(np.log10(high / low) - slope) < 0.1


def test_pieces_last_a_minute_and_stop_at_the_limit() -> None:
    import others

    def recordings() -> Iterator[np.ndarray]:
        while True:
            yield np.full(7 * others.RATE, 0.5, np.float32)

    seconds = [len(piece) / others.RATE for piece in others.pieces(recordings(), 2.5)]
    assert seconds == [60, 60, 30]


def test_a_rest_too_short_for_a_piece_is_dropped() -> None:
    import others

    short = iter([np.full(others.RATE, 0.5, np.float32)])
    assert list(others.pieces(short, 1)) == []


def test_a_glob_finds_files_and_members_of_a_zip_less_those_left_out(tmp_path: Path) -> None:
    import zipfile

    import others

    place = tmp_path / "debian" / "some-data"  # where a fetched package lies
    place.mkdir(parents=True)
    for name in ("b.wav", "a.wav", "horn.wav"):
        (place / name).write_bytes(b"")
    with zipfile.ZipFile(place / "all.zip", "w") as archive:
        archive.writestr("music/one.ogg", b"1")
        archive.writestr("voice/two.ogg", b"2")
    row = {"package": "some-data", "glob": "*.wav", "without": "^horn"}
    assert [name for name, _ in others.find(row, tmp_path)] == ["a.wav", "b.wav"]
    row |= {"glob": "*.zip!music/*.ogg"}
    assert [name for name, _ in others.find(row, tmp_path)] == ["music/one.ogg"]
    with pytest.raises(SystemExit, match="some-data: expected files"):
        list(others.find({**row, "glob": "*.flac"}, tmp_path))
