"""The other end of a worker process: start it, give it files, watch it, say what it died of."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock

from timbretree.batch.how import CrewError, CrewLimits, HowToTag
from timbretree.batch.worker import Began, Done, Heard, Message, Ready, Unable
from timbretree.reasons import REASONS
from timbretree.tags import Tags

START = "from timbretree.batch.worker import main; main()"
PATIENCE = 120.0
"""Seconds that a worker may take to load its model, however short the limit for a file is."""
FAREWELL = 5.0
"""Seconds that a worker has to end once its line is cut."""
MB = 1e6
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Must be 1 before numpy is loaded, or the spectrogram takes over twice the time."""


class LostError(Exception):
    """A worker ended before it answered; ``tags`` where its file is to blame."""

    def __init__(self, why: str, tags: Tags | None = None) -> None:
        super().__init__(why)
        self.tags = tags


class Hand:
    """One worker process, being started. One thread uses it; others may ``watch`` and ``end`` it.

    Raises OSError where the system starts no process.
    """

    def __init__(self, how: HowToTag, limits: CrewLimits) -> None:
        self.how, self.limits = how, limits
        self.heard = 0.0
        """Seconds of the file in hand that were heard."""
        self._lock = Lock()
        self._ended_for: str | None = None
        self._file: str | None = None
        self._ready: Ready | None = None
        self._quiet, self._free, self._model_memory = 0.0, False, 0
        self._process = _start()

    def get_ready(self) -> None:
        """Wait until the model is loaded. Raises LostError, and CrewError where it can't be."""
        self._send(self.how)
        message = self._receive()
        if isinstance(message, Unable):
            raise CrewError(message.message)
        assert isinstance(message, Ready)
        with self._lock:
            self._model_memory = resident(self._process.pid)
            self._ready, self._free = message, True

    def tag(self, path: Path, on_progress: Callable[[float], None] | None = None) -> Tags:
        """Have a file tagged, once it is ready. Raises LostError."""
        assert self._ready is not None
        file, taxonomy = str(path), self._ready.taxonomy
        with self._lock:
            self._quiet, self._free, self.heard = 0.0, False, 0.0
        self._send(file)
        try:
            while True:
                message = self._receive()
                if isinstance(message, Began):
                    self._file = file
                elif isinstance(message, Heard):
                    if message.seconds > self.heard:
                        self.heard, self._quiet = message.seconds, 0.0
                        if on_progress is not None:
                            on_progress(message.seconds)
                elif isinstance(message, Done):
                    return replace(message.tags, taxonomy=taxonomy)
        finally:
            with self._lock:
                self._free, self._file, self.heard = True, None, 0.0

    def watch(self, seconds: float) -> None:
        """End it where it keeps no limit; called every so many ``seconds``.

        They are counted, not read from a clock, which goes on while this process or the whole
        machine sleeps.
        """
        with self._lock:
            if self._free:
                return
            self._quiet += seconds
            patience = self.limits.quiet_seconds
            if self._ready is None:
                patience = patience and max(patience, PATIENCE)
            elif self.limits.memory_mb:
                taken = resident(self._process.pid) - self._model_memory
                if taken > self.limits.memory_mb * MB:
                    self._end("out_of_memory")
            if patience and self._quiet > patience:
                self._end("timed_out")

    def end(self) -> None:
        """End the process, whatever it is at."""
        with self._lock:
            self._end("crashed")

    def close(self) -> None:
        """End it, and let go of it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with suppress(OSError):  # of what was still to be sent to it
                pipe.close()
        self._process.wait()

    def _end(self, why: str) -> None:
        if self._ended_for is None:
            self._ended_for = why
            self._process.kill()

    def _send(self, what: HowToTag | str) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(what, self._process.stdin)
            self._process.stdin.flush()
        except OSError:  # it has ended; reading from it will tell of what
            return

    def _receive(self) -> Message:
        assert self._process.stdout is not None
        try:
            message: Message = pickle.load(self._process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise self._lost() from error
        return message

    def _lost(self) -> LostError:
        try:
            code = self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:  # it only closed its line
            self._process.kill()
            code = self._process.wait()
        cause = _cause(code)
        if self._ready is None:
            return LostError(f"a worker process could not load the model ({cause}){self._words()}")
        if self._file is None:
            return LostError(f"a worker process ended by itself ({cause})")
        reason = self._ended_for or "crashed"
        message = REASONS[reason] + ("" if self._ended_for else f" ({cause})")
        ready = self._ready
        tags = Tags(self._file, ready.model, ready.taxonomy, "failed", reason, message)
        return LostError(message, tags)

    def _words(self) -> str:
        """The last line of what it said before it was lost."""
        assert self._process.stderr is not None
        lines = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def resident(process: int) -> int:
    """The bytes of memory that a process holds; 0 where the system doesn't tell as Linux does."""
    try:
        pages = Path(f"/proc/{process}/statm").read_bytes().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _start() -> "subprocess.Popen[bytes]":
    """A new, empty Python, which looks for modules where this one does, and not in the folder that
    happens to be the current one."""
    places = os.pathsep.join(place for place in sys.path if place)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,  # read where it is lost; silenced once it is ready
        env=os.environ | dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": places},
        process_group=0,  # the Ctrl-C of a terminal is for the one who leads
    )


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    perhaps = ", perhaps by a system without memory left" if name == "SIGKILL" else ""
    return f"killed by {name}{perhaps}"
