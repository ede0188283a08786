"""A download that ends with the right bytes under the right name, or goes on where it broke off."""

import email.utils
import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from timbretree import __version__
from timbretree.fetch.resources import FetchError, Progress, Resource, part_of, size_of
from timbretree.files import BusyError, alone

AGENT = f"timbretree/{__version__} (+hears which instruments play in a recording)"
"""Zenodo turns away Python programs that do not say who they are."""
BLOCK = 1 << 16
"""Bytes that are received and written together; a kill loses no more."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to come back."""

    connect: float = 15.0
    read: float = 60.0
    """Without a single byte."""
    tries: int = 7
    """In a row that end at the same byte or before it."""
    pause: float = 1.0
    """Before the second try; doubled before each further one."""
    longest: float = 120.0
    """No pause is longer, whatever a server asks for."""
    sleep: Callable[[float], None] = time.sleep
    told: Callable[[str], None] | None = None
    """Is told why there is a pause, and how long it is."""


class _BrokenError(Exception):
    """It did not work this time; ``wait`` is how many seconds the server asks for."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class _RefusedError(Exception):
    """This mirror will not do."""


def download(
    resource: Resource,
    folder: str | Path,
    *,
    progress: Progress | None = None,
    patience: Patience = Patience(),
) -> Path:
    """Fetch a resource into a folder, unless it is there already, and return the whole file.

    It grows in ``FILE.part`` and goes on from what an earlier call left there. Raises FetchError:
    when no mirror sends the right bytes, when another process is fetching the same file, and when
    a file of that name is there but is another one.
    """
    target = Path(folder) / resource.file
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with alone(target):
                if not target.exists():  # another process may just have finished it
                    _Transfer(resource, part_of(target), progress, patience).run()
                    os.replace(part_of(target), target)
                    return target
        found = _digest(target, resource.algorithm)
    except BusyError as error:
        raise FetchError(str(error)) from error
    except OSError as error:
        raise FetchError(
            f"{error.filename or target}: {error.strerror or error}; "
            "mend that and run this again, what has arrived is kept"
        ) from error
    if found != resource.digest:
        raise FetchError(
            f"{target} is there but is not {resource.name}: expected {resource.algorithm} "
            f"{resource.digest}, got {found}; move it away and run this again"
        )
    return target


class _Transfer:
    """One file on its way into its .part."""

    def __init__(
        self, resource: Resource, part: Path, progress: Progress | None, patience: Patience
    ) -> None:
        self.resource, self.part, self.progress, self.patience = resource, part, progress, patience
        self.end = resource.size if resource.exact else None
        # a size known only about still tells a data set from an error page, or from no end at all
        self.least = resource.size if resource.exact else resource.size // 2
        self.most = resource.size if resource.exact else 2 * resource.size

    def run(self) -> None:
        """Make .part the whole file, from whichever mirror. Raises FetchError."""
        said = [f"{self.resource.name} could not be downloaded:"]
        for url in self.resource.urls:
            try:
                self._from_mirror(url)
            except _RefusedError as error:
                said.append(f"{url}: {error}")
            else:
                return
        if size := size_of(self.part):
            said.append(
                f"{size:,} bytes are kept in {self.part}; "
                "run this again to go on there, or remove it first to begin anew"
            )
        else:
            said.append("nothing was kept; see whether the network works, and run this again")
        raise FetchError("\n".join(said))

    def _from_mirror(self, url: str) -> None:
        if size_of(self.part) > self.most:
            self.part.unlink()  # it belongs to something else
        resumed = size_of(self.part) > 0
        self._complete(url)
        found = _digest(self.part, self.resource.algorithm)
        if found == self.resource.digest:
            return
        self.part.unlink()
        if not resumed:
            wanted = f"{self.resource.algorithm} {self.resource.digest}"
            raise _RefusedError(f"sent wrong bytes: expected {wanted}, got {found}")
        self._from_mirror(url)  # the fault may lie in what was there before

    def _complete(self, url: str) -> None:
        """Ask until nothing is missing; give up when several tries in a row come no farther."""
        farthest, failures = size_of(self.part), 0
        while size_of(self.part) != self.end:
            try:
                self._receive(url)
            except _BrokenError as error:
                failures = 1 if size_of(self.part) > farthest else failures + 1
                farthest = max(farthest, size_of(self.part))
                if failures == self.patience.tries:
                    raise _RefusedError(f"{error}; {failures} tries in a row ended so") from error
                pause = max(error.wait, self.patience.pause * 2 ** (failures - 1))
                pause = min(pause, self.patience.longest)
                if self.patience.told:
                    self.patience.told(f"{url}: {error}; trying again in {pause:.0f} s")
                self.patience.sleep(pause)
            else:
                return

    def _receive(self, url: str) -> None:
        """Ask once for all that is missing, and append what comes."""
        have = size_of(self.part)
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        times = (self.patience.connect, self.patience.read)
        try:
            with requests.get(url, headers=headers, stream=True, timeout=times) as response:
                if not _has_no_more(response, have):
                    _check_status(response)
                    self._append(response, *_promise(response, have))
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _BrokenError(f"no answer ({error})") from error
        except HTTPError as error:
            raise _BrokenError(f"broke off at byte {size_of(self.part):,} ({error})") from error
        except requests.RequestException as error:
            raise _RefusedError(str(error)) from error

    def _append(self, response: requests.Response, done: int, end: int | None) -> None:
        """Write a body that begins at byte ``done`` of a file that is said to end at ``end``."""
        if end is not None and not self.least <= end <= self.most:
            about = "exactly" if self.resource.exact else "about"
            raise _RefusedError(f"promises {end:,} bytes, not {about} {self.resource.size:,}")
        end = self.end if end is None else end
        with self.part.open("ab" if done else "wb") as file:
            # undecoded, since some servers take a .tgz for a text that they compressed themselves
            for block in response.raw.stream(BLOCK, decode_content=False):
                done += len(block)
                if done > (self.most if end is None else end):
                    raise _RefusedError(f"sends more than the {end or self.most:,} bytes it may")
                file.write(block)
                file.flush()
                if self.progress:
                    self.progress(done, end)
            os.fsync(file.fileno())
        if end is not None and done < end:
            raise _BrokenError(f"broke off at byte {done:,} of {end:,}")


def _has_no_more(response: requests.Response, have: int) -> bool:
    """Whether a server says that nothing lies beyond what we have; the digest will tell."""
    if response.status_code != 416 or not have:
        return False
    match = re.fullmatch(r"bytes \*/(\d{1,15})", response.headers.get("Content-Range", ""))
    return match is None or int(match[1]) <= have


def _check_status(response: requests.Response) -> None:
    status = f"answers {response.status_code} {response.reason}"
    if response.status_code == 429 or response.status_code >= 500:
        raise _BrokenError(status, wait=_seconds(response.headers.get("Retry-After", "")))
    if response.status_code not in (200, 206):
        raise _RefusedError(status)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise _RefusedError("answers with a web page; does this network want a login?")


def _promise(response: requests.Response, have: int) -> tuple[int, int | None]:
    """At which byte an answer begins, and where the whole file ends, or None if it isn't said."""
    if response.status_code == 200:  # the server ignores Range, so all of it comes again
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if re.fullmatch(r"\d{1,15}", length) else None
    told = response.headers.get("Content-Range", "no Content-Range")
    match = re.fullmatch(r"bytes (\d{1,15})-\d+/(\d{1,15}|\*)", told)
    if match is None or int(match[1]) != have:
        raise _RefusedError(f"was asked for the bytes from {have:,} on, and sends {told!r}")
    return have, None if match[2] == "*" else int(match[2])


def _seconds(retry_after: str) -> float:
    """How long a Retry-After asks to wait: it holds seconds or a date."""
    if retry_after.isdecimal():
        return float(retry_after)
    date = email.utils.parsedate_tz(retry_after)
    return max(email.utils.mktime_tz(date) - time.time(), 0.0) if date else 0.0


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()
