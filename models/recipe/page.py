"""Write the figures into docs/model.md, and a copy of it beside the shipped model.

    python models/recipe/page.py

Reads models/recipe/results: shipped.json (``ship.py``), and where they are there ablations.json,
windows.json (``ablate.py``, ``windows.py``), onsets.json, fine_tune.json and short_clips.json
(``benchmarks/``).
"""

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "model.md"
CARD = ROOT / "src" / "timbretree" / "models" / "shipped.card.md"
SUMMARY = {
    "top-1": "one instrument, recorded: right tag first of 20",
    "top-3": "one instrument, recorded: among the first three",
    "mixes fine": "recorded mixes of 1 to 4: mAP of tags",
    "mixes coarse": "recorded mixes of 1 to 4: mAP of families",
    "fonts fine": "rendered music, other fonts: mAP of tags",
    "fonts coarse": "rendered music, other fonts: mAP of families",
    "music as the start": "real music: mAP of what the start is surest of",
}
Found = dict[str, Any]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; all columns but the first are set to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 1) -> str:
    """A figure; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def summary(start: Found, shipped: Found) -> str:
    """Start and shipped model side by side."""
    rows = [[text, number(start[key]), number(shipped[key])] for key, text in SUMMARY.items()]
    return table(["development data, percent", "start", "shipped"], rows)


def by_tag(start: Found, shipped: Found) -> str:
    """Average precision of each tag, from the start to the shipped model."""
    rows = []
    for tag in shipped["mixes by tag"]:
        row = [tag]
        for key in ("mixes by tag", "fonts by tag", "sequences by tag", "top-1 by tag"):
            before, after = start[key].get(tag), shipped[key].get(tag)
            heard = after is not None and after == after
            row.append(f"{before:.0f} → {after:.0f}" if heard else "–")
        rows.append(row)
    return table(["tag", "AP mixes", "AP rendered", "AP alone", "first alone"], rows)


def verdicts(found: Found) -> str:
    """What the three answers are worth."""
    columns = list(next(iter(found.values())))
    rows = [[tag, *(number(each[key], 0) for key in columns)] for tag, each in found.items()]
    return table(["tag, percent", *columns], rows)


def alarms(found: Found) -> str:
    """Tags claimed in a minute of what holds none."""
    rows = [[kind, number(each["present"], 2), number(each["unsure"], 2)]
            for kind, each in found.items()]  # fmt: skip
    return table(["tags a minute", "present", "unsure"], rows)


def ablations(found: Found) -> str:
    """Each variant with its scores."""
    keys = ["mixes fine", "mixes coarse", "fonts fine", "top-1", "top-3", "music as the start"]
    rows = [[name, *(number(each[key]) for key in keys)] for name, each in found.items()]
    return table(["percent", *keys], rows)


def windows(found: Found) -> str:
    """Ways to listen."""
    keys = ["mixes fine", "mixes coarse", "fonts fine", "top-1"]
    rows = [[name, *(number(each[key]) for key in keys)] for name, each in found.items()]
    return table(["percent", *keys], rows)


def plain(found: Found) -> str:
    """Figures with their names."""
    return table(["", "measured"], [[name, str(value)] for name, value in found.items()])


def put(text: str, name: str, block: str) -> str:
    """The text with a block between its marks."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    if not marks.search(text):
        raise ValueError(f"{PAGE} has no marks <!-- {name} --> and <!-- /{name} -->")
    return marks.sub(lambda found: f"{found[1]}{block}\n{found[2]}", text)


def main() -> None:
    """Fill the page from the results that there are."""
    results = {path.stem: json.loads(path.read_text("utf-8"))
               for path in sorted((HERE / "results").glob("*.json"))}  # fmt: skip
    shipped = results["shipped"]
    before, after = shipped["calibration error before and after"]
    blocks = {
        "summary": summary(shipped["start"], shipped["shipped"]),
        "tags": by_tag(shipped["start"], shipped["shipped"]),
        "calibration": f"Calibration error over all tags: {before:.1f} points before, {after:.1f} "
        "after, each half of the clips calibrated on the other.",
        "verdicts": verdicts(shipped["verdicts"]),
        "alarms": alarms(shipped["alarms a minute"]),
        "shares": table(
            ["share of what was taught", *next(iter(shipped["tried"].values()))],
            [[share, *map(number, each.values())] for share, each in shipped["tried"].items()],
        ),
    }
    others = {"ablations": ablations, "windows": windows, "onsets": plain, "fine_tune": plain,
              "short_clips": plain}  # fmt: skip
    blocks |= {name: show(results[name]) for name, show in others.items() if name in results}
    text = PAGE.read_text("utf-8")
    for name, block in blocks.items():
        text = put(text, name, block)
    PAGE.write_text(text, "utf-8")
    CARD.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
