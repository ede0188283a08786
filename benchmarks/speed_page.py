"""Write the figures into docs/speed.md.

    python benchmarks/speed_page.py

Reads tagging.json, stages.json, mel.json and precision.json beside it, those that are there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "speed.md"
LOADS = {
    "cold": "cold start: one clip of 10 s",
    "clips": "40 clips of 10 s",
    "songs": "20 MP3s of 3 min",
    "hour": "one MP3 of an hour",
    "ten hours": "one MP3 of ten hours",
}
Found = dict[str, Any]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; all columns but the first are set to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def goals(found: Found) -> str:
    """What was asked for and what was measured."""
    rows = [
        [each["goal"], each["asked"], f"{each['measured']:g}", "yes" if each["reached"] else "no"]
        for each in found["goals"]
    ]
    told = (
        f"{found['machine']}; medians of {found['runs']} runs. Two processes at once that only "
        f"decode and resample are {found['two cores']:g} times as fast as one: no more is in it."
    )
    return told + "\n\n" + table(["", "asked for", "measured", "reached"], rows)


def costs(found: Found) -> str:
    """Of each workload, what each contender takes."""
    parts = []
    for load, title in LOADS.items():
        each = found["costs"][load]
        floor = each.get("decode and resample")
        rows = []
        for name, cost in each.items():
            beside = f"{cost['cpu'] / floor['cpu']:.2f}" if floor else "–"
            figures = [f"{cost[key]:.2f}" for key in ("cpu", "wall")]
            rows.append([name, *figures, beside, f"{cost['peak']:.0f}"])
        head = [title, "CPU, s", "wall, s", "CPU beside the first", "peak, MB"]
        parts.append(table(head, rows))
    few = found["costs"].get("panns")
    if few:
        growth = (few["9 minutes"]["peak"] - few["1 songs"]["peak"]) / 6
        hour = few["1 songs"]["peak"] + 57 * growth
        parts.append(
            f"panns_inference holds a whole file: {few['1 songs']['peak']:.0f} MB for three "
            f"minutes, {few['9 minutes']['peak']:.0f} for nine, so about {hour / 1024:.0f} GB for "
            f"an hour. Its twenty songs are reckoned from one and three "
            f"({few['1 songs']['cpu']:.1f} and {few['3 songs']['cpu']:.1f} s of CPU)."
        )
    return "\n\n".join(parts)


def stages(found: Found) -> str:
    """Where the time goes, after each step."""
    names = [name for name in next(iter(found.values())) if name != "start"]
    rows = []
    for label, spent in found.items():
        whole = sum(spent[name] for name in names)
        floor = whole / (spent[names[0]] + spent[names[1]])
        figures = [f"{spent[name]:.1f}" for name in names]
        rows.append([label, *figures, f"{whole:.1f}", f"{floor:.2f}", f"{spent['start']:.0f}"])
    head = ["CPU ms for 10 s of MP3", *names, "all", "all beside the first two", "start"]
    return table(head, rows)


def mels(found: Found) -> str:
    """What each step brought to the mel."""
    first = next(iter(found.values()))
    rows = [[name, f"{ms:.1f}", f"{ms / first:.2f}"] for name, ms in found.items()]
    return table(["mel of 10 s", "CPU ms", "beside the first"], rows)


def plain(found: Found) -> str:
    """Figures with their names."""
    return table(["", "measured"], [[name, f"{value:g}"] for name, value in found.items()])


FILLS: dict[str, tuple[str, Callable[[Found], str]]] = {
    "goals": ("tagging", goals),
    "costs": ("tagging", costs),
    "stages": ("stages", stages),
    "mel": ("mel", mels),
    "precision": ("precision", plain),
}
"""Of each pair of marks on the page: the results it shows, and how."""


def put(text: str, name: str, block: str) -> str:
    """The text with a block between its marks."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no marks <!-- {name} --> and <!-- /{name} -->")
    return f"{before}{begin}{block}\n{end}{after}"


def fill() -> None:
    """Fill the page from the results that there are."""
    text = PAGE.read_text("utf-8")
    for name, (results, show) in FILLS.items():
        path = HERE / f"{results}.json"
        if path.exists():
            text = put(text, name, show(json.loads(path.read_text("utf-8"))))
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    fill()
