"""Put a table or a figure into docs/results.md, between the marks that bear its name."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def put(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->``.

    Raises ValueError where the page has no such marks.
    """
    whole = page.read_text("utf-8")
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.S)
    if not pattern.search(whole):
        raise ValueError(f"{page} has no place for {name!r}: it needs <!-- {name} --> marks")
    page.write_text(pattern.sub(lambda m: f"{m[1]}{text.strip()}\n{m[2]}", whole), "utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; all columns but the first are set to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(value: float | None, *, digits: int = 1, sign: bool = False) -> str:
    """A share as a percentage; a dash where there is none."""
    if value is None:
        return "–"
    return f"{100 * value:{'+' if sign else ''}.{digits}f}"
