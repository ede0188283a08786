"""The makers under models/gather: what they fetch, unpack, take for a note and write."""

import csv
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

GATHER = Path(__file__).parents[1] / "models" / "gather"
RATE = 32_000


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(GATHER))


def tone(hertz: float, *, seconds: float = 1.0, rate: int = RATE) -> NDArray[np.float32]:
    time = np.arange(int(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * time) * np.exp(-2 * time)).astype(np.float32)


def patch(data: bytes, mode: int, *, rate: int = 8_000) -> bytes:
    """A GUS patch with one sample, of 440 Hz as it says."""
    head = bytearray(335)
    head[:9] = b"GF1PATCH1"
    head[198] = 1
    struct.pack_into("<I", head, 247, len(data))
    struct.pack_into("<H", head, 259, rate)
    struct.pack_into("<I", head, 269, 440_000)
    head[294] = mode
    return bytes(head) + data


def resource(name: str, content: bytes) -> bytes:
    """Qt resources of one file in the root folder."""
    names = struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    tree = struct.pack(">IHIIQ", 0, 2, 1, 1, 0) + struct.pack(">IHHHIQ", 0, 0, 0, 0, 0, 0)
    data = struct.pack(">I", len(content)) + content
    head = struct.pack(">4sIIII", b"qres", 2, 20, 20 + len(tree), 20 + len(tree) + len(data))
    return head + tree + data + names


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (struct.pack("<4h", 0, 16384, -16384, -32768), 1),
        (struct.pack("<4H", 32768, 49152, 16384, 0), 3),
        (bytes([0, 64, 192, 128]), 0),
        (bytes([128, 192, 64, 0]), 2),
    ],
)
def test_a_patch_is_read_in_each_of_its_four_forms(tmp_path: Path, data: bytes, mode: int) -> None:
    from containers import sounds

    path = tmp_path / "flute.pat"
    path.write_bytes(patch(data, mode))
    [(name, audio, rate)] = sounds(path)
    assert (name, rate) == ("flute-00-440hz", 8_000)
    assert audio[:, 0].tolist() == [0, 0.5, -0.5, -1]


def test_a_broken_patch_is_refused(tmp_path: Path) -> None:
    from containers import ContainerError, sounds

    path = tmp_path / "flute.pat"
    path.write_bytes(patch(bytes(8), 1)[:-1])
    with pytest.raises(ContainerError, match="cut off in sample 0"):
        list(sounds(path))
    path.write_bytes(b"RIFF" + bytes(400))
    with pytest.raises(ContainerError, match="expected a GUS patch"):
        list(sounds(path))


def test_sounds_are_found_inside_resources(tmp_path: Path) -> None:
    from containers import sounds

    soundfile.write(tmp_path / "a.wav", tone(440), RATE)
    (tmp_path / "a.rcc").write_bytes(resource("banjo.wav", (tmp_path / "a.wav").read_bytes()))
    [(name, audio, rate)] = sounds(tmp_path / "a.rcc")
    assert (name, audio.shape, rate) == ("banjo", (RATE, 1), RATE)


def test_a_package_that_lies_there_is_not_fetched_again(tmp_path: Path) -> None:
    from packages import FetchError, fetch

    place = tmp_path / "npm" / "@of--one@1.0.0"
    place.mkdir(parents=True)
    assert fetch("npm", "@of/one@1.0.0", tmp_path) == place
    with pytest.raises(FetchError, match="expected a kind out of debian, npm, pypi"):
        fetch("conda", "one", tmp_path)


def test_every_row_is_whole_and_of_a_known_tag() -> None:
    from timbretree.taxonomy import Taxonomy

    with (GATHER / "notes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["tag"] for row in rows} <= {*Taxonomy.load("tone7").tags, "font"}
    for row in rows:
        assert all(row.values()), row
        assert not any(word in row["licence"] for word in ("NC", "ND")), row


def test_notes_are_trimmed_levelled_told_apart_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import notes

    folder = tmp_path / "packages" / "npm" / "one" / "package"
    folder.mkdir(parents=True)
    silence = np.zeros(RATE, np.float32)
    soundfile.write(folder / "a.wav", np.concatenate([silence, tone(440), silence]), RATE)
    soundfile.write(folder / "copy.wav", 0.5 * tone(440), RATE)
    soundfile.write(folder / "faint.wav", 0.02 * tone(550, rate=16_000), 16_000)
    soundfile.write(folder / "long.wav", tone(660, seconds=9), RATE)
    soundfile.write(folder / "short.wav", tone(770, seconds=0.1), RATE)
    soundfile.write(folder / "clipped.wav", np.clip(9 * tone(880), -1, 1), RATE)
    (folder / "one.sf2").write_bytes(b"RIFF")
    table = tmp_path / "notes.csv"
    table.write_text(
        "kind,package,folder,files,tag,source,licence,attribution\n"
        "npm,one,package,*.wav,flute,one,CC0-1.0,Somebody\n"
        "npm,one,package,*.sf2,font,one,MIT,Somebody\n"
    )
    monkeypatch.setattr(notes, "__file__", str(tmp_path / "notes.py"))
    packages = ["--packages", str(tmp_path / "packages")]
    monkeypatch.setattr(sys, "argv", ["notes.py", str(tmp_path / "out"), *packages])
    notes.main()
    with (tmp_path / "out/sounds/manifest.csv").open(newline="") as file:
        rows = {Path(row["file"]).stem: row for row in csv.DictReader(file)}
    assert set(rows) == {"one_package_a", "one_package_faint", "one_package_long"}
    assert float(rows["one_package_a"]["seconds"]) == pytest.approx(1, abs=0.02)
    assert float(rows["one_package_long"]["seconds"]) <= 6
    audio, rate = soundfile.read(tmp_path / "out/sounds" / rows["one_package_faint"]["file"])
    assert rate == RATE
    assert np.abs(audio).max() == pytest.approx(0.1, rel=0.2)
    assert (tmp_path / "out/fonts/LICENCES.txt").read_text() == "one.sf2: MIT. Somebody (npm one)\n"
