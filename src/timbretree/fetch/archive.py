"""An archive unpacked: the whole folder, or nothing."""

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from timbretree.fetch.resources import FetchError, Progress, part_of
from timbretree.files import BusyError, alone

BLOCK = 1 << 20


def unpack(
    archive: str | Path, folder: str | Path, *, top: str, progress: Progress | None = None
) -> Path:
    """Unpack a .tgz that holds one folder, ``top``, and return that folder in ``folder``.

    ``progress`` counts bytes of the archive. Raises FetchError, and then leaves nothing behind:
    when the folder is there already, when the archive is damaged, and when anything in it would
    lie or point outside ``top``.
    """
    archive, target = Path(archive), Path(folder) / top
    if not hasattr(tarfile, "data_filter"):
        raise FetchError(
            "unpacking safely takes Python 3.11.4 or newer; with an older one, unpack it yourself: "
            f"tar xzf {archive} -C {folder}"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target):
            if os.path.lexists(target):
                raise FetchError(f"{target} is there already; use it, or move it away first")
            _unpack(archive, target, progress)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FetchError(
            f"{archive} can't be unpacked: {error}; move it away and fetch it again"
        ) from error
    except BusyError as error:
        raise FetchError(str(error)) from error
    except OSError as error:
        raise FetchError(
            f"{error.filename or target}: {error.strerror or error}; mend that and run this again"
        ) from error
    return target


def _unpack(archive: Path, target: Path, progress: Progress | None) -> None:
    half = part_of(target)
    shutil.rmtree(half, ignore_errors=True)  # what a killed process left
    try:
        half.mkdir()
        _extract(archive, half, target.name, progress)
        if not any(half.iterdir()):
            raise tarfile.TarError(f"it holds nothing below {target.name}/")
        half.rename(target)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _extract(archive: Path, half: Path, top: str, progress: Progress | None) -> None:
    """Put what lies below ``top`` into ``half``; so the filter keeps links within it, too."""
    size = archive.stat().st_size
    with (
        archive.open("rb") as packed,
        gzip.GzipFile(fileobj=packed) as plain,
        tarfile.open(fileobj=plain, mode="r:") as tar,
    ):
        for member in tar:
            name = _below(top, member.name, member)
            link = _below(top, member.linkname, member) if member.islnk() else member.linkname
            if name:
                tar.extract(member.replace(name=name, linkname=link), half, filter="data")
            elif not member.isdir():
                raise tarfile.TarError(f"{top!r} is no folder in it")
            if progress:
                progress(packed.tell(), size)
        while plain.read(BLOCK):  # up to the checksum, which tells if the archive is whole
            pass


def _below(top: str, name: str, member: tarfile.TarInfo) -> str:
    parts = PurePosixPath(name).parts
    if parts[:1] != (top,) or ".." in parts:
        raise tarfile.TarError(f"{member.name!r} lies or points outside {top}/")
    return "/".join(parts[1:])
