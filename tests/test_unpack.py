"""Unpacking: the whole folder or nothing, and nothing gets out of it."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from loopback import CONTENT
from timbretree.fetch import FetchError, unpack

TOP = "openmic-2018"
Member = tuple[str, bytes | str, bytes]  # its name, what is in it or where it points, its kind
FILES = {
    f"{TOP}/labels.csv": " ".join(map(str, CONTENT[:5000])).encode(),  # compressed, as audio isn't
    f"{TOP}/audio/000/a.ogg": CONTENT[:5000],
    f"{TOP}/audio/001/b.ogg": CONTENT[5000:10120],  # to the end of a record of 512 bytes
    f"{TOP}/empty.csv": b"",
}
GOOD: list[Member] = [(name, content, tarfile.REGTYPE) for name, content in FILES.items()]


def archive(folder: Path, *members: Member) -> Path:
    path = folder / "archive.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if isinstance(content, bytes):
                member.size, member.mode = len(content), 0o644
                tar.addfile(member, io.BytesIO(content))
            else:
                member.linkname = content
                tar.addfile(member)
    return path


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def tree(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    folders: list[Member] = [(name, b"", tarfile.DIRTYPE) for name in (TOP, f"./{TOP}/audio")]
    path = archive(tmp_path, *folders, *GOOD, (f"{TOP}/big.ogg", CONTENT, tarfile.REGTYPE))
    seen: list[tuple[int, int | None]] = []
    found = unpack(path, tmp_path / "data", top=TOP, progress=lambda *at: seen.append(at))
    assert found == tmp_path / "data" / TOP
    assert tree(tmp_path / "data") == FILES | {f"{TOP}/big.ogg": CONTENT}
    assert listed(tmp_path / "data") == {TOP}
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)
    assert {end for _, end in seen} == {path.stat().st_size}
    assert 0 < seen[0][0] < seen[-1][0] <= path.stat().st_size


def test_links_within_are_kept(tmp_path: Path) -> None:
    soft = (f"{TOP}/audio/soft.ogg", "000/a.ogg", tarfile.SYMTYPE)
    hard = (f"{TOP}/hard.ogg", f"{TOP}/audio/000/a.ogg", tarfile.LNKTYPE)
    found = unpack(archive(tmp_path, *GOOD, soft, hard), tmp_path / "data", top=TOP)
    assert (found / "audio" / "soft.ogg").read_bytes() == FILES[f"{TOP}/audio/000/a.ogg"]
    assert (found / "hard.ogg").read_bytes() == FILES[f"{TOP}/audio/000/a.ogg"]


@pytest.mark.parametrize(
    "bad",
    [
        [("../out", b"?", tarfile.REGTYPE)],
        [(f"{TOP}/../out", b"?", tarfile.REGTYPE)],
        [(f"{TOP}/../{TOP}.part/out", b"?", tarfile.REGTYPE)],
        [(f"{TOP}/../../out", b"?", tarfile.REGTYPE)],
        [("{folder}/out", b"?", tarfile.REGTYPE)],
        [("/" + TOP + "/out", b"?", tarfile.REGTYPE)],
        [("out", b"?", tarfile.REGTYPE)],
        [(f"{TOP}-too/out", b"?", tarfile.REGTYPE)],
        [("out", b"", tarfile.DIRTYPE)],
        [(f"{TOP}/link", "/etc/passwd", tarfile.SYMTYPE)],
        [(f"{TOP}/link", "../out", tarfile.SYMTYPE)],
        [(f"{TOP}/audio/link", "../../out", tarfile.SYMTYPE)],
        [(f"{TOP}/link", "../../out", tarfile.SYMTYPE)],
        [(f"{TOP}/link", "{folder}/out", tarfile.SYMTYPE)],
        [(f"{TOP}/link", "..", tarfile.SYMTYPE), (f"{TOP}/link/out", b"?", tarfile.REGTYPE)],
        [(TOP, "..", tarfile.SYMTYPE)],
        [(f"{TOP}/link", "{folder}/mine", tarfile.LNKTYPE)],
        [(f"{TOP}/link", f"{TOP}/../../mine", tarfile.LNKTYPE)],
        [(f"{TOP}/link", "mine", tarfile.LNKTYPE)],
        [(f"{TOP}/pipe", "", tarfile.FIFOTYPE)],
        [(f"{TOP}/disk", "", tarfile.BLKTYPE)],
    ],
    ids=lambda bad: " ".join(f"{name}>{content!s}" for name, content, _ in bad),
)  # fmt: skip
def test_nothing_gets_out(tmp_path: Path, bad: list[Member]) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    there = [
        (
            name.format(folder=tmp_path),
            to.format(folder=tmp_path) if isinstance(to, str) else to,
            kind,
        )
        for name, to, kind in bad
    ]
    path = archive(tmp_path, *GOOD, *there)
    with pytest.raises(FetchError, match=r"archive\.tgz can't be unpacked: .* fetch it again"):
        unpack(path, tmp_path / "data", top=TOP)
    assert listed(tmp_path) == {"archive.tgz", "data", "mine"}
    assert listed(tmp_path / "data") == set()
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_a_damaged_archive_leaves_nothing(tmp_path: Path) -> None:
    path = archive(tmp_path, *GOOD)
    whole = path.read_bytes()
    for end in [*range(0, len(whole), 997), *range(len(whole) - 20, len(whole))]:
        path.write_bytes(whole[:end])
        with pytest.raises(FetchError, match="can't be unpacked"):
            unpack(path, tmp_path / "data", top=TOP)
        assert listed(tmp_path / "data") == set(), end
    for at in range(30, len(whole), 149):  # behind the header, which the checksum leaves out
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        with pytest.raises(FetchError):
            unpack(path, tmp_path / "data", top=TOP)
        assert listed(tmp_path / "data") == set(), at


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = archive(tmp_path, *GOOD)
    (tmp_path / TOP).mkdir()
    with pytest.raises(FetchError, match=f"{TOP} is there already; use it, or move it away"):
        unpack(path, tmp_path, top=TOP)
    assert tree(tmp_path / TOP) == {}
    (tmp_path / TOP).rmdir()
    (tmp_path / TOP).symlink_to("nowhere")
    with pytest.raises(FetchError, match="is there already"):
        unpack(path, tmp_path, top=TOP)


def test_what_a_killed_unpacking_left_is_not_used(tmp_path: Path) -> None:
    (tmp_path / f"{TOP}.part" / "audio").mkdir(parents=True)
    (tmp_path / f"{TOP}.part" / "audio" / "half.ogg").touch()
    (tmp_path / f"{TOP}.lock").touch()
    unpack(archive(tmp_path, *GOOD), tmp_path, top=TOP)
    assert tree(tmp_path / TOP).keys() == {name.removeprefix(f"{TOP}/") for name in FILES}
    assert listed(tmp_path) == {TOP, "archive.tgz"}


def test_two_do_not_unpack_at_once(tmp_path: Path) -> None:
    path = archive(tmp_path, *GOOD)
    code = "import sys; from timbretree.fetch import unpack;unpack(*sys.argv[1:3], top=sys.argv[3])"
    others: list[str] = []

    def second(*_: object) -> None:
        if not others:
            words = [sys.executable, "-c", code, str(path), str(tmp_path), TOP]
            others.append(subprocess.run(words, capture_output=True, text=True).stderr)

    unpack(path, tmp_path, top=TOP, progress=second)
    assert "FetchError: another process is making" in others[0]
    assert listed(tmp_path) == {TOP, "archive.tgz"}


def test_archives_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"none\.tgz: No such file"):
        unpack(tmp_path / "none.tgz", tmp_path / "data", top=TOP)
    (tmp_path / "text.tgz").write_text("<html>")
    with pytest.raises(FetchError, match=r"text\.tgz can't be unpacked: Not a gzipped file"):
        unpack(tmp_path / "text.tgz", tmp_path / "data", top=TOP)
    with pytest.raises(FetchError, match="holds nothing"):
        unpack(archive(tmp_path), tmp_path / "data", top=TOP)
    assert listed(tmp_path / "data") == set()
