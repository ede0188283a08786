"""Write the figures into docs/installing.md and docs/coverage.md.

    python benchmarks/installing_page.py

Reads install_matrix.json, start.json and untested.json beside it, those that are there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speed_page import put, table

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
Found = dict[str, Any]


def matrix(found: Found) -> str:
    """Of each extra and set of versions: whether it works, and what it takes."""
    sets = ("oldest", "tested", "newest")
    rows = [
        [
            f"`{extra}`" if extra not in ("base", "all") else extra,
            *(_cell(each.get(name)) for name in sets),
        ]
        for extra, each in found["results"].items()
    ]
    return f"{found['python']}.\n\n" + table(["extra", *sets], rows)


def _works(result: Found | None) -> bool:
    return result is not None and not result["trouble"]


def _cell(result: Found | None) -> str:
    if result is None:
        return "not tried"
    if result["trouble"]:
        return f"fails: {result['trouble']}"
    return f"works, {result['megabytes']} MB"


def pythons(found: Found) -> str:
    """The same of other versions of Python."""
    others = found.get("others", {})
    columns = [(python, name) for python in others for name in ("tested", "newest")]
    extras = [name for name in found["results"] if any(name in each for each in others.values())]
    rows = [
        [
            f"`{extra}`" if extra != "base" else extra,
            *(_cell(others[python].get(extra, {}).get(name)) for python, name in columns),
        ]
        for extra in extras
    ]
    return table(["extra", *(f"{python}: {name}" for python, name in columns)], rows)


def versions(found: Found) -> str:
    """Of each package that pyproject.toml names: the versions it was tried with."""
    runs = {name: (found["results"], name) for name in ("oldest", "tested", "newest")}
    runs |= {
        f"newest, {python}": (each, "newest") for python, each in found.get("others", {}).items()
    }
    seen: dict[str, dict[str, str]] = {}
    for column, (results, name) in runs.items():
        for each in results.values():
            result = each.get(name)
            for package, version in result["packages"].items() if _works(result) else ():
                seen.setdefault(package, {}).setdefault(column, version)
    rows = [[package, *(each.get(name, "–") for name in runs)] for package, each in seen.items()]
    return table(["package", *runs], rows)


def start(found: Found) -> str:
    """What the package weighs and how soon it is there."""
    rows = [
        [name, f"{value['median']:g}", f"{value['least']:g}"]
        for name, value in found["seconds"].items()
    ]
    weights = [[name, f"{value / 1e6:.2f}", ""] for name, value in found["bytes"].items()]
    told = f"{found['machine']}; {found['runs']} runs, of a wheel in an environment of its own."
    return "\n\n".join(
        [
            told,
            table(["seconds", "median", "least"], rows),
            table(["", "MB"], [each[:2] for each in weights]),
        ]
    )


def rooms(found: Found) -> str:
    """How much of each room the tests run."""
    rows = []
    for floor, each in found["floors"].items():
        for name, cell in each.items():
            rows.append([f"{floor}: `{name}`", *_share(cell["statements"], cell["missed"])])
        sums = [sum(cell[key] for cell in each.values()) for key in ("statements", "missed")]
        rows.append([f"**{floor}, all**", *_share(*sums)])
    head = ["room", "statements", "not run", "run, %"]
    return f"{found['told']}\n\n" + table(head, rows)


def _share(statements: int, missed: int) -> list[str]:
    share = 100 * (1 - missed / statements) if statements else 100
    return [str(statements), str(missed), f"{share:.1f}"]


def lines(found: Found) -> str:
    """The lines of each function that no test runs."""
    rows = [
        [
            floor,
            f"`{path}`",
            "; ".join(f"{name or 'module'} {where}" for name, where in each.items()),
        ]
        for floor, files in found["lines"].items()
        for path, each in files.items()
    ]
    return table(["floor", "file", "lines"], rows)


FILLS: dict[str, tuple[str, str, Callable[[Found], str]]] = {
    "matrix": ("installing.md", "install_matrix", matrix),
    "pythons": ("installing.md", "install_matrix", pythons),
    "versions": ("installing.md", "install_matrix", versions),
    "start": ("installing.md", "start", start),
    "rooms": ("coverage.md", "untested", rooms),
    "lines": ("coverage.md", "untested", lines),
}
"""Of each pair of marks: the page, the results it shows, and how."""


def fill() -> None:
    """Fill the pages from the results that there are."""
    for name, (page, results, show) in FILLS.items():
        path = HERE / f"{results}.json"
        if path.exists():
            text = (DOCS / page).read_text("utf-8")
            (DOCS / page).write_text(
                put(text, name, show(json.loads(path.read_text("utf-8")))), "utf-8"
            )


if __name__ == "__main__":
    fill()
