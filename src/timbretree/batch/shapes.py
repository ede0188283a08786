"""Which shape results have: by the place where they are to lie, and the format."""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from timbretree.batch.how import HowToTag
from timbretree.batch.inputs import SOUND
from timbretree.modelfile import read_info
from timbretree.tags import Tags
from timbretree.taxonomy import Taxonomy
from timbretree.writers import WRITERS

if TYPE_CHECKING:
    from timbretree.batch.results import Results

TOGETHER = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}
"""How a file ends that takes the results of many recordings, and its format."""


def format_of(place: Path | None, format: str | None) -> str:
    """The format, where none was asked for: told by the ending of the place. Raises ValueError."""
    ending = "" if place is None or place.is_dir() else place.suffix.lower()
    told = TOGETHER.get(ending)
    if ending and not told and ending in SOUND | {each.suffix for each in WRITERS.values()}:
        raise ValueError(
            f"{place} ends as a file, and a file for many recordings ends in "
            f"{', '.join(TOGETHER)}; for {format or 'any other format'}, name a folder"
        )
    if told is not None and format not in (None, told):
        raise ValueError(
            f"expected a {told} file at {place}, as it ends, but was asked for {format}"
        )
    return format or told or "text"


def blank(how: HowToTag) -> Tags:
    """What is said of a file of which nothing is known. Raises ModelFileError and ValueError."""
    info = read_info(how.model)
    tree = info.taxonomy if how.taxonomy is None else Taxonomy.load(how.taxonomy)
    return Tags("", info.name, tree, "failed")


def results_at(
    place: Path, format: str, how: HowToTag, *, explain: bool = False, anew: bool = False
) -> "Results":
    """The results of a job, by where they are to lie.

    Raises ModelFileError, ValueError, and ImportError where the format needs more to be installed.
    """
    from timbretree.batch.results import Folder, Gathered, OneFile  # not for standard output

    nothing = blank(how)
    plan: dict[str, object] = {
        "model": nothing.model,
        "model file": blake2b(how.model.read_bytes(), digest_size=12).hexdigest(),
        "taxonomy": nothing.taxonomy.name,
        "families": blake2b(repr(nothing.taxonomy.to_dict()).encode(), digest_size=6).hexdigest(),
        "hop": "of the model" if how.hop is None else how.hop,
        "format": format,
        "explain": explain,
    }
    writer = WRITERS[format]

    def written(tags: Tags) -> bytes:
        text = writer.write(tags, explain)
        return text if isinstance(text, bytes) else text.encode()

    head, _ = split_head(written(nothing))  # a package that is missing is told now, not at the end
    if place.is_dir() or place.suffix.lower() not in TOGETHER:
        return Folder(place, plan, written, writer.suffix, anew=anew)
    if format == "parquet":

        def gather(path: Path, records: Iterator[bytes]) -> None:
            from timbretree.writers import as_json, as_parquet

            recordings = (as_json.read(record.decode()) for record in records)
            as_parquet.write_all(path, recordings, explain=explain)

        return Gathered(place, plan, _record, gather, anew=anew)
    if format == "csv":
        return OneFile(place, plan, lambda tags: split_head(written(tags))[1], head, anew=anew)
    return OneFile(place, plan, written, anew=anew)


def split_head(table: bytes) -> tuple[bytes, bytes]:
    """The line with the names of the columns, and the rows."""
    head, end, rows = table.partition(b"\n")
    return head + end, rows


def _record(tags: Tags) -> bytes:
    """All that was heard, of which any format can be made later."""
    from timbretree.writers import as_json

    return as_json.write(tags, True).encode()
