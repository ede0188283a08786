"""What a folder of results is for: written down before the first of them, and kept to."""

import json
from pathlib import Path

from timbretree.files import write_whole


class ClaimError(ValueError):
    """A folder that is for something else; the message says what differs."""


def claim(path: Path, plan: dict[str, object]) -> None:
    """Write down in ``path`` what its folder is for, or see that it is for the same.

    ``plan`` is plain data. Raises ClaimError where the folder is of another plan, or holds things
    that no plan speaks of.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise ClaimError(f"expected a folder, but {path.parent} is a file; name a new one")
    if not path.exists():
        if path.parent.is_dir() and any(path.parent.iterdir()):
            raise ClaimError(
                f"{path.parent} holds other things and no {path.name}; choose a new folder"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(plan, indent=2) + "\n")
        return
    try:
        record = json.loads(path.read_bytes())
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise ClaimError(f"{path} is damaged, so it is not known what its folder is for; "
                         "choose another folder")  # fmt: skip
    found, wanted = _leaves(record), _leaves(json.loads(json.dumps(plan)))
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise ClaimError(
                f"{path.parent} is of another plan: its {name} is {found.get(name)}, "
                f"now asked for is {wanted.get(name)}; choose another folder"
            )


def _leaves(plain: object, place: str = "") -> dict[str, object]:
    """Every value of a JSON document by where it stands, such as train.seed."""
    if not isinstance(plain, dict):
        return {place: plain}
    inner = [_leaves(each, f"{place}.{name}".strip(".")) for name, each in plain.items()]
    return {name: each for one in inner for name, each in one.items()}
