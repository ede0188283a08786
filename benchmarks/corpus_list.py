"""Makes the list of scores that ``timbretree render`` plays, corpus.csv in render/scores.

    python benchmarks/corpus_list.py

Takes music21 10.5.1 and five minutes, and always comes to the same list. It reads every score that
may be on the list and prints what it left out and why. Then it chooses by the rules below.

Compositions are in the public domain: printed before 1904. Of the encodings, none is taken that
reserves rights or forbids commercial use in its own file or folder:

- essenFolksong: "non-commercial distribution and use" (license.txt)
- palestrina, and the .krn of bach: "Rights to all derivative electronic formats reserved"
- monteverdi's book 5: copyright of UT Orpheus Edizioni, 2003
- leadSheet/berlinAlexandersRagtime: "All Rights Reserved"

nor one that asks for the same licence of what is made of it: josquin (GPL), ciconia, luca, beach
and schumann_clara's polonaises (CC BY-SA). Left out for other reasons: trecento (modern editions),
schoenberg and webern (too young), nottingham-dataset and the American fife tunes (of unknown age),
demos, leadSheet's and theoryExercises' made-up examples. What the files that are on the list say of
their rights is its column ``rights``; most say nothing.
"""

import csv
import hashlib
import io
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import music21
import numpy as np
from music21.corpus.chorales import ChoraleListRKBWV

from timbretree.files import write_whole
from timbretree.render.music import Notes
from timbretree.render.scores.corpus import Entry
from timbretree.render.scores.notation import BARS, read

CORPUS = Path(music21.__file__).parent / "corpus"
LIST = Path(__file__).parents[1] / "src" / "timbretree" / "render" / "scores" / "corpus.csv"
WORKS = (
    ("haydn/*/*.mxl", "Joseph Haydn", "died 1809", "quartet"),
    ("mozart/k80/*.mxl", "Wolfgang Amadeus Mozart", "died 1791", "quartet"),
    ("mozart/k15[56]/*.mxl", "Wolfgang Amadeus Mozart", "died 1791", "quartet"),
    ("mozart/k458/*.mxl", "Wolfgang Amadeus Mozart", "died 1791", "quartet"),
    ("beethoven/*.mxl", "Ludwig van Beethoven", "died 1827", "quartet"),
    ("beethoven/*/*.mxl", "Ludwig van Beethoven", "died 1827", "quartet"),
    ("schumann_robert/opus41no1/*.mxl", "Robert Schumann", "died 1856", "quartet"),
    ("corelli/*/*.xml", "Arcangelo Corelli", "died 1713", "trio"),
    ("schumann_clara/opus17/*.xml", "Clara Schumann", "died 1896", "trio"),
    ("weber/*.mxl", "Carl Maria von Weber", "died 1826", "concerto"),
    ("bach/bwv846.mxl", "Johann Sebastian Bach", "died 1750", "piano"),
    ("cpebach/*.mxl", "Carl Philipp Emanuel Bach", "died 1788", "piano"),
    ("mozart/k545/*.mxl", "Wolfgang Amadeus Mozart", "died 1791", "piano"),
    ("chopin/*.krn", "Frédéric Chopin", "died 1849", "piano"),
    ("joplin/*.mxl", "Scott Joplin", "died 1917", "rag"),
    ("handel/*/*.mxl", "George Frideric Handel", "died 1759", "song"),
    ("schubert/*.xml", "Franz Schubert", "died 1828", "song"),
    ("schumann_robert/opus48no2.mxl", "Robert Schumann", "died 1856", "song"),
    ("verdi/*.mxl", "Giuseppe Verdi", "died 1901", "song"),
    ("liliuokalani/*.mxl", "Liliuokalani", "printed 1884, died 1917", "song"),
    ("leadSheet/foster*.mxl", "Stephen Foster", "died 1864", "song"),
    ("johnson_j_r/*.mxl", "J. Rosamond Johnson", "printed 1900, died 1954", "song"),
    ("lusitano/*.mxl", "Vicente Lusitano", "printed 1562", "madrigal"),
)
TUNES = (
    ("ryansMammoth/*.abc", "traditional (Ryan's Mammoth Collection)", "printed 1883", 200),
    ("oneills1850/0[0-6]*.abc", "traditional (O'Neill's Music of Ireland)", "printed 1903", 50),
    ("oneills1850/*.abc", "traditional (O'Neill's Music of Ireland)", "printed 1903", 80),
    ("airdsAirs/book[1-4].abc", "traditional (Aird's Airs)", "printed before 1800", 80),
    ("miscFolk/north*.abc", "traditional (Northumbrian Minstrelsy)", "printed 1882", 60),
)
"""Of each collection so many; songs of Northumbrian Minstrelsy are those up to number 57."""
SONGS = 57
CHORALES, MADRIGALS = 100, 40
CYCLES = (("3", 8, 10), ("3", 15, 17), ("3", 19, 20), ("4", 6, 7), ("5", 4, 8))
"""Madrigals that are parts of one poem: book, and from which number to which."""
SLURS = re.compile("nigg|dark[ei]|coon|sambo|squaw", re.IGNORECASE)
LEAST, MOST = 24.0, 8
"""Beats and voices of a piece."""
ALIKE = 0.2
"""Of all runs of six intervals in the shorter of two tunes, the share that the other has too, from
which on they count as one tune; of random pairs, one in ten thousand reaches it."""
TEST = 0.25


@dataclass(frozen=True, eq=False)
class Found:
    """A score that may be on the list."""

    entry: Entry
    runs: frozenset[tuple[int, ...]]
    """Six intervals each, of the top voice."""
    title: str


def main() -> None:
    """Read all, choose, write."""
    found = [*works(), *madrigals()]
    for pattern, composer, public, count in TUNES:
        found += distinct(tunes(pattern, composer, public), found)[:count]
    found += chorales()
    entries = split(sorted((one.entry for one in found), key=lambda e: (e.path, e.number)))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(field.name for field in fields(Entry))
    writer.writerows(astuple(entry) for entry in entries)
    write_whole(LIST, table.getvalue())
    for (kind, side), count in sorted(Counter((e.kind, e.split) for e in entries).items()):
        print(f"{kind:10} {side:6} {count}")
    print(Counter(entry.rights for entry in entries))


def works() -> list[Found]:
    """Pieces of composers, long ones in stretches; the movements of a work are one group."""
    found = []
    for pattern, composer, public, kind in WORKS:
        for path in sorted(CORPUS.glob(pattern)):
            name = path.relative_to(CORPUS).as_posix()
            group = name.split(".")[0] if name.count("/") == 1 else name.rsplit("/", 1)[0]
            text = "" if path.suffix == ".krn" else markup(path).split("</part>")[0]
            bars = len(re.findall(r"<measure\s", text))
            for number in range(1, 1 + max(1, round(bars / BARS + 0.3))):
                found += look(Entry(name, number, group, composer, public, kind, "", ""))
    return found


def madrigals() -> list[Found]:
    """Monteverdi's; the parts of one poem are one group."""
    found = []
    for path in shuffled(CORPUS.glob("monteverdi/*[0-9].mxl")):
        _, book, number, _ = path.name.split(".")
        group = f"monteverdi/{book}.{number}"
        for cycle, first, last in CYCLES:
            if book == cycle and first <= int(number) <= last:
                group = f"monteverdi/{book}.{first}-{last}"
        entry = Entry(
            f"monteverdi/{path.name}",
            1,
            group,
            "Claudio Monteverdi",
            "died 1643",
            "madrigal",
            "",
            "",
        )
        if "ORPHEUS" not in markup(path):
            found += look(entry)
    return found[:MADRIGALS]


def tunes(pattern: str, composer: str, public: str) -> list[Found]:
    """Tunes of a collection without a known composer, or by O'Carolan, in random order."""
    found = []
    for path in sorted(CORPUS.glob(pattern)):
        name = path.relative_to(CORPUS).as_posix()
        text = path.read_text("utf-8", errors="replace")
        for tune in re.split(r"^(?=X: *\d)", text, flags=re.MULTILINE)[1:]:
            number = int(re.findall(r"\d+", tune)[0])
            titles = re.findall(r"^T: *(.*)", tune, re.MULTILINE)
            by = " ".join(re.findall(r"^C: *(.*)", tune, re.MULTILINE)).strip()
            title = plain(titles[0]) if titles else ""
            known = by and not re.search("ollected|Trad", by)
            if not title or SLURS.search(" ".join(titles)) or (known and by != "O'Carolan"):
                continue
            who = ("Turlough O'Carolan", "died 1738") if known else (composer, public)
            kind = "song" if "north" in name and number <= SONGS else "tune"
            entry = Entry(name, number, f"tune/{title}", *who, kind, "", "")
            found += [replace(one, title=title) for one in look(entry)]
    return sorted(found, key=lambda one: digest(one.entry.name))


def chorales() -> list[Found]:
    """Bach's, those first whose files carry no notice; all settings of one tune are one group."""
    titles = {
        chorale["bwv"]: plain(chorale["title"])
        for chorale in ChoraleListRKBWV().byRiemenschneider.values()
    }
    paths = [path for path in shuffled(CORPUS.glob("bach/*.mxl")) if path.name != "bwv846.mxl"]
    found: list[Found] = []
    for path in sorted(paths, key=lambda path: bool(rights(path))):
        name = f"bach/{path.name}"
        title = titles.get(path.stem.removeprefix("bwv"), "")
        entry = Entry(name, 1, "", "Johann Sebastian Bach", "died 1750", "chorale", "", "")
        found += [replace(one, title=title) for one in look(entry)]
        if len(found) == CHORALES:
            break
    group = [f"bach/{one.title or Path(one.entry.path).stem}" for one in found]
    for here, one in enumerate(found):
        for there in range(here):
            if alike(one, found[there]):
                group = [group[there] if name == group[here] else name for name in group]
    return [
        replace(one, entry=replace(one.entry, group=name))
        for one, name in zip(found, group, strict=True)
    ]


def look(entry: Entry) -> list[Found]:
    """A score as it may be on the list, or nothing."""
    path = CORPUS / entry.path
    try:
        voices, _ = read(path, number=entry.number)
    except Exception as error:
        print(f"{entry.name}: {type(error).__name__}: {error}")
        return []
    voices = tuple(voice for voice in voices if len(voice))
    beats = max((float((v.onset + v.length).max()) for v in voices), default=0.0)
    if beats < LEAST or len(voices) > MOST:
        print(f"{entry.name}: {beats:g} beats, {len(voices)} voices")
        return []
    return [Found(replace(entry, rights=rights(path)), runs(voices[0]), "")]


def runs(voice: Notes) -> frozenset[tuple[int, ...]]:
    """All runs of six intervals."""
    steps = np.diff(voice.pitch).tolist()
    return frozenset(tuple(steps[start : start + 6]) for start in range(len(steps) - 5))


def alike(one: Found, other: Found) -> bool:
    """Whether both are of the same tune."""
    if one.title and one.title == other.title:
        return True
    shorter = min(len(one.runs), len(other.runs))
    return len(one.runs & other.runs) >= ALIKE * max(shorter, 1)


def distinct(found: list[Found], others: list[Found]) -> list[Found]:
    """Only the first of several variants, and none of a tune that is among the others."""
    kept: list[Found] = []
    for one in found:
        if not any(alike(one, other) for other in (*others, *kept)):
            kept.append(one)
    return kept


def split(entries: list[Entry]) -> list[Entry]:
    """Put a quarter of the pieces into test: of each kind, whole groups in random order."""
    counts = Counter(entry.kind for entry in entries)
    pools: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        pools[entry.kind if counts[entry.kind] > 20 else "other"][entry.group].append(entry)
    test: set[str] = set()
    for pool in pools.values():
        wanted = TEST * sum(map(len, pool.values()))
        for group in sorted(pool, key=lambda group: digest(f"split {group}")):
            if len(pool[group]) / 2 < wanted:
                test.add(group)
                wanted -= len(pool[group])
    return [replace(e, split="test" if e.group in test else "train") for e in entries]


def rights(path: Path) -> str:
    """What MusicXML says of its rights, without what a notation program puts there by itself."""
    if path.suffix not in (".xml", ".mxl"):
        return ""
    text = markup(path)
    said = re.findall(r"<rights>(.*?)</rights>", text, re.DOTALL)
    said += re.findall(r"<credit-words[^>]*>([^<]*(?:©|opyright)[^<]*)<", text)
    lines = [" ".join(line.split()) for line in said]
    return "; ".join(dict.fromkeys(line for line in lines if line not in ("", "©", "Copyright ©")))


def markup(path: Path) -> str:
    """The text of MusicXML."""
    content = path.read_bytes()
    if path.suffix == ".mxl":
        with zipfile.ZipFile(path) as archive:
            inside = archive.read("META-INF/container.xml").decode()
            content = archive.read(re.findall('full-path="([^"]*)"', inside)[0])
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")


def plain(title: str) -> str:
    """A title without articles, kinds of dances and signs, and without what is said in brackets."""
    words = re.sub(r"--.*|\(.*?\)|,? or .*|'s\b| \d$", "", title.lower())
    kinds = r"\b(the|a|an|reel|jig|hornpipe|strathspey|march|set|setting|version|air|quick ?step)\b"
    words = re.sub(kinds, "", words.replace("’", "'"))
    return re.sub(r"[^a-z0-9äöüß]+", " ", words).strip().replace(" ", "-")


def digest(text: str) -> str:
    """For an order that looks random and is always the same."""
    return hashlib.sha256(text.encode()).hexdigest()


def shuffled(paths: Iterable[Path]) -> list[Path]:
    """In an order that has nothing to do with theirs."""
    return sorted(paths, key=lambda path: digest(path.name))


if __name__ == "__main__":
    main()
