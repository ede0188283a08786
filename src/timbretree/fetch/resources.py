"""What can be fetched, what it costs, and where weights lie."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are done and those of the whole, or None while that is unknown."""


class FetchError(ValueError):
    """A file that could not be had or unpacked; the message says why and how to mend it."""


@dataclass(frozen=True)
class Resource:
    """A file that somebody publishes, and how to know that it is the right one."""

    name: str
    what: str
    """What it is, and whose."""
    file: str
    urls: tuple[str, ...]
    """Where it lies; tried in this order."""
    size: int
    """In bytes."""
    exact: bool
    """Whether the size is known to the byte, or only about."""
    algorithm: str
    """Of the digest: md5 or sha256."""
    digest: str
    """Of the whole file, in hex."""
    licence: str
    top: str | None = None
    """The one folder in it, if it is an archive to unpack."""


@dataclass(frozen=True)
class Cost:
    """What fetching a resource takes, told before it begins; sizes in bytes."""

    resource: Resource
    folder: Path
    download: int
    """What is still to come."""
    there: int
    """What an earlier download left when it broke off."""
    unpacked: int
    """What unpacking takes beside the archive."""
    free: int
    """Room on the disk of the folder."""

    def __str__(self) -> str:
        """Four lines for a person."""
        about = "about " if self.download and not self.resource.exact else ""
        there = f" ({_amount(self.there)} are there already)" if self.there else ""
        more = f"; unpacked, about {_amount(self.unpacked)} more" if self.unpacked else ""
        return (
            f"{self.resource.what}\n"
            f"to download: {about}{_amount(self.download)}{there}{more}\n"
            f"free in {self.folder}: {_amount(self.free)}\n"
            f"licence: {self.resource.licence}"
        )


def cost(resource: Resource, folder: str | Path) -> Cost:
    """What fetching a resource into a folder would take.

    An archive counts twice, packed and unpacked. Raises FetchError if it can't fit on the disk.
    """
    folder = Path(folder)
    target = folder / resource.file
    there = 0 if target.exists() else size_of(part_of(target))
    disk = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    found = Cost(
        resource,
        folder,
        download=0 if target.exists() else max(resource.size - there, 0),
        there=there,
        unpacked=resource.size if resource.top and not (folder / resource.top).exists() else 0,
        free=shutil.disk_usage(disk).free,
    )
    if found.free < found.download + found.unpacked:
        raise FetchError(
            f"{resource.name} needs {_amount(found.download + found.unpacked)} in {folder}, but "
            f"only {_amount(found.free)} are free there; make room, or choose a folder elsewhere"
        )
    return found


def weights_folder() -> Path:
    """Where fetched weights lie: in this user's cache."""
    return platformdirs.user_cache_path("timbretree", appauthor=False) / "weights"


def find_weights(name: str) -> Path | None:
    """Where weights that were fetched lie, or None if they weren't.

    Only the name is looked at: the loaders check the digest. Raises FetchError for a name that
    isn't one of weights in ``RESOURCES``.
    """
    known = [name for name, resource in RESOURCES.items() if resource.top is None]
    if name not in known:
        raise FetchError(f"expected one of {', '.join(known)}, got {name!r}")
    path = weights_folder() / RESOURCES[name].file
    return path if path.is_file() else None


def part_of(path: Path) -> Path:
    """Where a file or folder grows until it is whole."""
    return path.with_name(path.name + ".part")


def size_of(path: Path) -> int:
    """The bytes in a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def _amount(size: float) -> str:
    """Bytes as a person says them: 4.1 MB, 323 MB."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    digits = 1 if size < 9.95 and units[0] != "bytes" else 0
    return f"{size:.{digits}f} {units[0]}"


RESOURCES = {
    resource.name: resource
    for resource in (
        Resource(
            "openmic",
            "OpenMIC-2018: 20,000 clips of 10 s, 20 instruments (Humphrey, Durand, McFee 2018)",
            "openmic-2018-v1.0.0.tgz",
            ("https://zenodo.org/records/1432913/files/openmic-2018-v1.0.0.tgz?download=1",),
            size=2_600_000_000,
            exact=False,
            algorithm="md5",
            digest="e4ccf187e2bb5ab2e115416e8aafe7f4",
            licence="labels and splits CC BY 4.0; each clip has its own Creative Commons licence",
            top="openmic-2018",
        ),
        Resource(
            "cnn14-16k",
            "Cnn14_16k, trained on AudioSet: PANNs (Kong et al. 2020)",
            "Cnn14_16k_mAP=0.438.pth",
            ("https://zenodo.org/records/3987831/files/Cnn14_16k_mAP%3D0.438.pth?download=1",),
            size=323_000_000,
            exact=False,
            algorithm="sha256",
            digest="e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6",
            licence="CC BY 4.0",
        ),
        Resource(
            "mn04-as",
            "mn04_as, trained on AudioSet: EfficientAT (Schmid et al. 2023)",
            "mn04_as_mAP_432.pt",
            (
                "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/"
                "mn04_as_mAP_432.pt",
            ),
            size=4_066_513,
            exact=True,
            algorithm="sha256",
            digest="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
            licence="MIT",
        ),
    )
}
