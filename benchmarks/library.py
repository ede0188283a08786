"""What a library costs: asking 100,000 tracks, scanning what is unchanged, bytes on the disk; and
SQLite beside DuckDB.

    python benchmarks/library.py [--work build/library] [--tracks 100000] [--without-duckdb]

Makes a library of tracks that nobody played (what is heard in them is drawn, 96 windows long on
average), asks it what people ask, through the class and through the command, and times it: medians
of several runs. A folder of 2,000 files is scanned twice; the second time nothing has changed.
Bytes for each hour are those of music that was tagged (``music.py``). The comparison needs DuckDB
(pip install duckdb), which timbretree itself does not. Writes library.json.
"""

import argparse
import json
import os
import platform
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import music
from timbretree.batch.how import HowToTag
from timbretree.library import Library, scanning, store
from timbretree.library.binding import Binding
from timbretree.library.catalogue import Catalogue, File
from timbretree.library.keeping import copy
from timbretree.library.records import pack_looks, pack_scores, pack_windows
from timbretree.library.words import folded
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores

HERE = Path(__file__).parent
COMMAND = [str(Path(sys.executable).with_name("timbretree"))]
HOP, DIMENSIONS, RUNS = 2.5, 512, 9
DRAWN = 2000
"""So many tracks are drawn; the others are as copies of them, under names of their own."""
QUESTIONS: dict[str, dict[str, Any]] = {
    "clarinet and not drums": {},
    "clarinet and not drums, 20 s at least, of woodwind": {
        "query": "clarinet and not drums", "min_seconds": 20, "groups": ["woodwind"],
    },
    "(violin or cello) and piano > 60%": {"sort": "probability"},
    "artist:042 guitar": {},
    "clarinet or drums or not voice": {"sort": "seconds"},
    "all, by path, page 1000": {"query": "", "offset": 49_950},
}  # fmt: skip


def drawn(chance: np.random.Generator, binding: Binding, file: str) -> Tags:
    """What might be heard in a track: a few instruments, each in some stretches of it."""
    tree = binding.taxonomy
    count = int(np.clip(chance.lognormal(4.5, 0.4), 4, 2000))
    loud = np.where(chance.random(len(tree.tags)) < 0.2, chance.uniform(0.4, 1, 20), 0.03)
    playing = np.repeat(chance.random((count // 8 + 1, len(tree.tags))) < 0.6, 8, axis=0)[:count]
    noise = chance.exponential(0.03, (count, len(tree.tags)))
    fine = np.clip(np.where(playing, loud, 0.02) + noise, 0, 1).astype(np.float32)
    below = np.where(tree.members, fine[:, :, None], -1)
    coarse, look = below.max(axis=1), below.argmax(axis=1)
    eye = np.eye(len(tree.tags), dtype=np.float32)
    best = -(-count // 4)
    pooled = [np.sort(each, axis=0)[-best:].mean(axis=0) for each in (fine, coarse)]
    told = [bands.read(each) for bands, each in
            zip((binding.tag_bands, binding.group_bands), pooled, strict=True)]  # fmt: skip
    attention = dict(zip(tree.tags, [1.0] + [0.0] * 19, strict=True))
    return Tags(
        file=file, model=binding.model, taxonomy=tree, seconds=count * HOP,
        tags=tuple(TagScore(tag, float(pooled[0][f]), bool(told[0][0][f]), bool(told[0][1][f]))
                   for f, tag in enumerate(tree.tags)),
        groups=tuple(GroupScore(group, float(pooled[1][c]), bool(told[1][0][c]), attention,
                                bool(told[1][1][c])) for c, group in enumerate(tree.groups)),
        windows=tuple(WindowScores(HOP * w, HOP * (w + 1), fine[w], coarse[w], eye[:, look[w]])
                      for w in range(count)),
        embedding=chance.gamma(0.5, 1.0, DIMENSIONS).astype(np.float32),
    )  # fmt: skip


def build(path: Path, tracks: int) -> None:
    """A library of tracks that nobody played, unless it is there already."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    binding, chance = Binding.of(HowToTag()), np.random.default_rng(0)
    store.create(new, binding)
    with store.to_write(new) as db:
        catalogue = Catalogue(db, binding)
        for number in range(tracks):
            name = f"/music/Artist {number % 997:03}/{number:06} Song.flac"
            file = File(name.encode(), number, 0)
            if number < DRAWN:
                catalogue.put(file, number.to_bytes(16, "big"), drawn(chance, binding, name))
            else:  # as a copy that turns up
                db.execute("BEGIN")
                origin = int(chance.integers(DRAWN)) + 1
                copy(db, origin, catalogue.place(file, number.to_bytes(16, "big")))
                db.execute("COMMIT")
            texts = f"Song {number}", f"Artist {number % 997:03}", f"Album {number % 9973}"
            db.execute(
                "UPDATE tracks SET title = ?1, artist = ?2, album = ?3, title_key = ?4, "
                "artist_key = ?5, album_key = ?6 WHERE number = ?7",
                (*texts, *map(folded, texts), number + 1),
            )
            if number % 1000 == 0 and sys.stderr.isatty():
                print(f"\r{number:,} tracks made", end="", file=sys.stderr)
    new.rename(path)


def median(
    work: Callable[[], object],
    runs: int = RUNS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Milliseconds, after one run that does not count."""
    times = []
    for _ in range(runs + 1):
        began = clock()
        work()
        times.append(clock() - began)
    return round(statistics.median(times[1:]) * 1000, 1)


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Milliseconds by the clock, and of the processor, which others that are busy hardly change."""
    return {"ms": median(work), "cpu ms": median(work, clock=time.process_time)}


def command(*arguments: object) -> Callable[[], object]:
    """A whole process of the real command."""
    whole = [*COMMAND, *map(str, arguments)]
    return lambda: subprocess.run(whole, capture_output=True, check=True)


def ask(path: Path) -> dict[str, Any]:
    """Milliseconds for what people ask."""
    found: dict[str, Any] = {}
    with Library(path) as library:
        for name, asked in QUESTIONS.items():
            asked = {"query": name, **asked}
            query = asked.pop("query")
            found[name] = {
                **timed(lambda query=query, asked=asked: library.search(query, **asked)),
                "tracks": library.search(query, **asked).total,
            }
        id = library.search("clarinet", limit=1).rows[0].track.id
        found["like a track"] = timed(lambda: library.like(id))
        found["stats"] = timed(library.stats)
        found["all of one track"] = timed(lambda: library.windows(id))
    found["timbretree find 'clarinet and not drums'"] = {
        "ms": median(command("find", "clarinet and not drums", "--library", path)),
    }
    found["timbretree --help"] = {"ms": median(command("--help"))}
    return found


def memory(path: Path) -> dict[str, float]:
    """Peak MB of a process that asks for what is like a track, and of one that only opens."""
    peaks = {}
    for name, work in (
        ("open", ""),
        ("like a track", "l.like(l.search(limit=1).rows[0].track.id)"),
    ):
        code = (
            "import re, sys; from timbretree.library import Library\n"
            f"l = Library(sys.argv[1]); {work}\n"
            "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())\n"
            "print(int(peak[1]) / 1024)"
        )
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
        peaks[name] = round(float(done.stdout), 1)
    return peaks


class Drawing:
    """A crew that hears what is drawn."""

    def __init__(self, binding: Binding) -> None:
        self.binding, self.chance = binding, np.random.default_rng(0)

    def tag(self, paths: Any) -> Iterator[Tags]:
        for path in paths:
            yield drawn(self.chance, self.binding, str(path))


def unchanged(work: Path, files: int = 2000) -> dict[str, float]:
    """Milliseconds to scan files of which none has changed, by the real command."""
    folder, path = work / "unchanged", work / "unchanged.db"
    for number in range(files):
        file = folder / f"{number // 20:03}" / f"{number:05}.mp3"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_bytes(number.to_bytes(4, "big") * 1000)
    binding = Binding.of(HowToTag())
    path.unlink(missing_ok=True)
    with scanning(path, HowToTag()) as scan:
        for _ in scan.look([folder]):
            pass
        for _ in scan.tag(Drawing(binding)):
            pass
    scanned = {"files": files, "ms": median(command("scan", folder, "--library", path), runs=5)}
    (folder / "000").rename(folder / "moved")
    began = time.perf_counter()
    command("scan", folder, "--library", path)()
    scanned["ms with 20 of them moved"] = round((time.perf_counter() - began) * 1000, 1)
    (folder / "moved").rename(folder / "000")
    return scanned


def hashing(work: Path) -> dict[str, float]:
    """What the digest of a whole file costs beside tagging it."""
    song = music.songs(work / "songs", 1)[0]
    tagger = HowToTag().tagger()
    status = song.stat()
    file = File(os.fsencode(song), status.st_size, status.st_mtime_ns)
    return {
        "MB": round(status.st_size / 1e6, 2),
        "ms to digest": median(file.digest),
        "ms to tag": median(lambda: tagger(song), runs=3),
    }


def bytes_an_hour(work: Path, songs: int = 5) -> dict[str, float]:
    """What an hour of music takes in a library, and of that the windows and their attention; and
    what other ways to keep the windows would take."""
    files = music.songs(work / "songs", songs)
    tagger, path, folder = HowToTag().tagger(), work / "hour.db", work / "hour"
    path.unlink(missing_ok=True)
    heard = [tagger(file) for file in files]
    folder.mkdir(exist_ok=True)
    for number in range(255):  # a collection of the same songs
        (folder / f"{number}.mp3").write_bytes(number.to_bytes(2, "big"))

    class Known:
        def tag(self, paths: Any) -> Iterator[Tags]:
            for place in paths:
                yield replace(heard[int(place.stem) % songs], file=str(place))

    with scanning(path, HowToTag()) as scan:
        for _ in scan.look([folder]):
            pass
        for _ in scan.tag(Known()):
            pass
    from timbretree.writers import as_json

    hours = sum(tags.seconds for tags in heard) / 3600
    kb = {
        "all": path.stat().st_size * songs // 255,
        "windows": sum(len(pack_windows(tags.windows)) for tags in heard),
        "attention": sum(len(pack_looks(tags.windows) or b"") for tags in heard),
        "scores": sum(len(pack_scores(tags)) for tags in heard),
        "instead: windows to a 255th": sum(map(_coarse, heard)),
        "instead: the whole as JSON, compressed": sum(
            len(_squeezed(as_json.write(tags, True).encode())) for tags in heard
        ),
        "the music itself": sum(file.stat().st_size for file in files),
    }
    return {"hours": round(hours, 3), **{f"kB an hour, {name}": round(count / hours / 1000, 1)
                                         for name, count in kb.items()}}  # fmt: skip


def _coarse(tags: Tags) -> int:
    scores = np.array([[*window.tags, *window.groups] for window in tags.windows])
    steps = np.rint(scores * 255).astype(np.uint8).T
    return len(_squeezed(np.diff(steps, axis=1, prepend=np.uint8(0)).tobytes()))


def _squeezed(data: bytes) -> bytes:
    import zlib

    return zlib.compress(data)


# SQLite beside DuckDB: the same two tables, the same questions, each in its own words

PAGE = (
    "SELECT t.number, h.s1 / (1000.0 * t.seconds) FROM tracks t JOIN heard h ON h.track = t.number "
    "WHERE t.there = 1 AND h.v1 = 2 AND NOT h.v16 = 2 ORDER BY 2 DESC, t.path LIMIT 50"
)
COUNT = (
    "SELECT count(*) FROM tracks t JOIN heard h ON h.track = t.number "
    "WHERE t.there = 1 AND h.v1 = 2 AND NOT h.v16 = 2"
)
TEXT = (
    "SELECT count(*) FROM tracks t JOIN heard h ON h.track = t.number WHERE {contains} AND h.v9 = 2"
)
WRITER = """
import sys, time
kind, path, count, first = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if kind == "sqlite":
    import sqlite3
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL"); db.execute("PRAGMA synchronous = NORMAL")
else:
    import duckdb
    db = duckdb.connect(path)
row = db.execute("SELECT * FROM heard LIMIT 1").fetchone()
insert = f"INSERT INTO heard VALUES ({', '.join('?' * len(row))})"
began = time.perf_counter()
for number in range(count):
    db.execute("BEGIN"); db.execute(insert, [first + number, *row[1:]]); db.execute("COMMIT")
    print(number, flush=True)
print("seconds", time.perf_counter() - began, flush=True)
"""


def compare(path: Path, work: Path) -> dict[str, Any]:
    """The same data and the same questions in both."""
    import duckdb

    places = {"sqlite": work / "compare.sqlite", "duckdb": work / "compare.duckdb"}
    for place in places.values():
        place.unlink(missing_ok=True)
    columns = "number, path, there, seconds, artist_key"
    with closing(sqlite3.connect(places["sqlite"])) as db:
        db.execute("ATTACH ? AS old", (str(path),))
        heard = db.execute("SELECT sql FROM old.sqlite_master WHERE name = 'heard'").fetchone()[0]
        db.execute(heard.replace(" REFERENCES tracks ON DELETE CASCADE", ""))
        db.execute("CREATE TABLE tracks (number INTEGER PRIMARY KEY, path, there, seconds, "
                   "artist_key)")  # fmt: skip
        db.execute(f"INSERT INTO tracks SELECT {columns} FROM old.tracks")
        db.execute("INSERT INTO heard SELECT * FROM old.heard")
        db.commit()
        tracks, rows = (db.execute(f"SELECT * FROM {name}").fetchall()
                        for name in ("tracks", "heard"))  # fmt: skip
    with closing(duckdb.connect(str(places["duckdb"]))) as db:
        import pandas

        names = ["whole", *(f"{kind}{k}" for k in range(27) for kind in "vpsu")]
        as_tracks = pandas.DataFrame(tracks, columns=columns.split(", "))  # noqa: F841
        as_heard = pandas.DataFrame(rows, columns=["track", *names])  # noqa: F841
        db.execute("CREATE TABLE tracks AS SELECT * FROM as_tracks")
        small = ", ".join(f"CAST({name} AS {'TINYINT' if name[0] == 'v' else 'INTEGER'}) {name}"
                          for name in names)  # fmt: skip
        db.execute(f"CREATE TABLE heard AS SELECT track, {small} FROM as_heard")
        db.execute("CHECKPOINT")
    return {kind: _one(kind, place) for kind, place in places.items()}


def _one(kind: str, path: Path) -> dict[str, Any]:
    if kind == "sqlite":
        connect: Callable[[], Any] = lambda: sqlite3.connect(path)  # noqa: E731
        contains = "instr(t.artist_key, '042') > 0"
    else:
        import duckdb

        connect = lambda: duckdb.connect(str(path), config={"threads": 2})  # noqa: E731
        contains = "contains(t.artist_key, '042')"
    found: dict[str, Any] = {"MB": round(path.stat().st_size / 1e6, 1)}
    with closing(connect()) as db:
        found["ms, a page"] = median(lambda: db.execute(PAGE).fetchall())
        found["ms, to count"] = median(lambda: db.execute(COUNT).fetchall())
        text = TEXT.format(contains=contains)
        found["ms, a text"] = median(lambda: db.execute(text).fetchall())
    opened = f"import {'sqlite3' if kind == 'sqlite' else 'duckdb'} as d, sys; "
    opened += f"d.connect(sys.argv[1]).execute({COUNT!r}).fetchall()"
    cold = [sys.executable, "-c", opened, str(path)]
    found["ms, a process that counts"] = median(lambda: subprocess.run(cold, check=True))
    writer = [sys.executable, "-c", WRITER, kind, str(path)]
    done = subprocess.run([*writer, "1000", "10000000"], capture_output=True, text=True, check=True)
    found["ms, to put down one track"] = round(float(done.stdout.split()[-1]), 3)
    found |= _while_writing(writer, cold)
    found["MB after that"] = round(
        sum(each.stat().st_size for each in path.parent.glob(path.name + "*")) / 1e6, 1
    )
    return found


def _while_writing(writer: list[str], reader: list[str]) -> dict[str, Any]:
    """Whether others can read while one writes; and how many tracks a kill -9 costs of those that
    were put down."""
    process = subprocess.Popen([*writer, "1000000", "20000000"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for _ in range(200):
        process.stdout.readline()
    reads = subprocess.run(reader, capture_output=True).returncode == 0
    process.send_signal(signal.SIGKILL)
    told = 200 + sum(line.strip().isdigit() for line in process.stdout)
    process.wait()
    count = [*reader[:2], reader[2].split(".execute")[0].replace("; d.", "; x = d.")
             + ".execute('SELECT count(*) FROM heard WHERE track >= 20000000').fetchone()[0]; "
             + "print(x)", reader[3]]  # fmt: skip
    left = int(subprocess.run(count, capture_output=True, text=True, check=True).stdout)
    return {"others can read while one writes": reads, "put down before kill -9": told,
            "still there after it": left}  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=HERE.parent / "build" / "library")
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--without-duckdb", action="store_true")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    path = asked.work / f"{asked.tracks}.db"
    build(path, asked.tracks)
    figures: dict[str, Any] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "tracks": asked.tracks,
        "library MB": round(path.stat().st_size / 1e6, 1),
        "asking": ask(path),
        "peak MB": memory(path),
        "scan of what is unchanged": unchanged(asked.work),
        "digest": hashing(asked.work),
        "size": bytes_an_hour(asked.work),
    }
    if not asked.without_duckdb:
        figures["engines"] = compare(path, asked.work)
    figures["peak MB of this"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    text = json.dumps(figures, indent=1)
    print(text)
    (HERE / "library.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
