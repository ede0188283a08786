"""The same tagging on a cluster: a Ray Data job, on this machine or on any Ray cluster.

Paths go out in small batches to actors. Each holds a crew of one, so that a file on which a decoder
crashes or hangs costs that file only; an actor or a machine that is lost costs nothing, since Ray
gives its batch to another. All machines must see the files under the same paths.
"""

import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Self

from timbretree.batch import Crew, CrewLimits, HowToTag
from timbretree.batch.how import AS_SHIPPED, USUAL, ClusterError
from timbretree.tags import Tags
from timbretree.writers import as_json

BATCH, ROUND = 8, 20_000
"""Files that an actor is given at a time, and that are tagged again where it is lost; and files
that are handed to Ray at a time."""

Batch = dict[str, Any]


class Hearing:
    """One actor: it holds the model and tags batches of files."""

    def __init__(self, how: HowToTag, limits: CrewLimits) -> None:
        self._crew = Crew(how, jobs=1, limits=limits)
        self._crew.__enter__()  # an actor is ended, never left: its crew ends with it

    def __call__(self, batch: Batch) -> Batch:
        """``path`` (bytes) to ``record``: what was heard, as a line of JSON."""
        heard = self._crew.tag(Path(os.fsdecode(each)) for each in batch["path"])
        return {"record": [as_json.write(tags, True) for tags in heard]}


class Cluster:
    """Actors on a Ray cluster that tag files: an engine, as a ``Crew`` is one.

    >>> with Cluster(address="head:6379") as cluster:
    ...     for tags in cluster.tag(paths):
    ...         print(tags.file, tags.present)

    ``address`` is a cluster's, as HOST:PORT, or ``auto`` for the one this machine is part of;
    without it Ray is started on this machine and ended afterwards. ``jobs`` is the number of
    actors, by default one for each core of the cluster. What comes back is what a ``Crew`` here
    would have said. Raises ClusterError where there is no Ray, or no cluster.
    """

    def __init__(
        self,
        how: HowToTag = AS_SHIPPED,
        *,
        address: str | None = None,
        jobs: int | None = None,
        limits: CrewLimits = USUAL,
    ) -> None:
        if jobs is not None and jobs < 1:
            raise ValueError(f"expected one actor at least, got {jobs}")
        self.how, self.address, self.jobs, self.limits = how, address, jobs, limits
        self.heard = 0.0
        """Seconds of sound that were heard up to now."""
        self._finishing = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._ray = self._stack.enter_context(_cluster(self.address))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def finish(self) -> None:
        """Take no more answers: what the actors have in hand is broken off."""
        self._finishing = True

    def tag(self, paths: Iterable[Path]) -> Iterator[Tags]:
        """Tag files, each once, in the order in which they are done."""
        paths = iter(paths)
        while part := {os.path.abspath(path): path for path in islice(paths, ROUND)}:
            # bytes, since a file's name need not be text
            rows = [{"path": os.fsencode(place)} for place in part]
            for row in self._hearing(rows).iter_rows():
                tags = as_json.read(row["record"])
                self.heard += tags.seconds
                yield replace(tags, file=str(part[tags.file]))
                if self._finishing:
                    return

    def write(self, paths: Iterable[Path], folder: Path) -> None:
        """Tag files, and have the cluster's machines write what they heard into ``folder``.

        For archives so large that one machine should not write for all. The folder, which all
        machines must see, gets Parquet files with the columns of ``timbretree.writers.as_parquet``,
        each whole or not at all.
        """
        folder.mkdir(parents=True, exist_ok=True)
        paths = iter(paths)
        while part := [os.fsencode(os.path.abspath(path)) for path in islice(paths, ROUND)]:
            heard = self._hearing([{"path": place} for place in part])
            where = {"folder": os.path.abspath(folder)}
            heard.map_batches(_write_part, batch_size=None, fn_kwargs=where).materialize()

    def _hearing(self, rows: list[Batch]) -> Any:
        """The data set of what is heard: ``record``, a line of JSON for each row."""
        data = self._ray.data
        actors = self.jobs or int(self._ray.cluster_resources().get("CPU", 1))
        actors = min(actors, len(rows))
        return data.from_items(rows, override_num_blocks=_blocks(len(rows), actors)).map_batches(
            Hearing,
            fn_constructor_args=(self.how, self.limits),
            compute=data.ActorPoolStrategy(size=actors),
            batch_size=min(BATCH, -(-len(rows) // actors)),
            num_cpus=1,
        )


def _write_part(batch: Batch, folder: str) -> Batch:
    """Write one file, named by what is in it: a part that is heard again does not count twice."""
    from timbretree.writers import as_parquet

    heard = [as_json.read(line) for line in batch["record"]]
    name = blake2b("\0".join(tags.file for tags in heard).encode(errors="surrogateescape"))
    as_parquet.write_all(Path(folder) / f"{name.hexdigest()[:32]}.parquet", heard)
    return {"files": [len(heard)]}


def _blocks(rows: int, actors: int) -> int:
    """In so many parts rows are shared out: a few for each actor, each a few batches if it can."""
    return min(rows, 10_000, max(4 * actors, rows // (4 * BATCH)))


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Ray, with its data room; what was started for this is ended after it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ClusterError("a cluster needs Ray: pip install 'timbretree[cluster]'") from error
    mine = not ray.is_initialized()
    if mine:
        if address:
            _knock(address)
        try:
            ray.init(
                address or "local",
                include_dashboard=None if address else False,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        except (ConnectionError, ValueError) as error:
            raise ClusterError(f"no Ray cluster can be joined at {address}: {error}") from error
    context = ray.data.DataContext.get_current()
    shown, context.enable_progress_bars = context.enable_progress_bars, False
    try:
        yield ray
    finally:
        context.enable_progress_bars = shown
        if mine:
            ray.shutdown()


def _knock(address: str) -> None:
    """See that somebody listens there: Ray itself would try for two minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not (colon and port.isdecimal()):
        raise ClusterError(f"expected a cluster's address as HOST:PORT, or auto, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster answers at {address} ({error}); start one with `ray start --head`"
        ) from error
