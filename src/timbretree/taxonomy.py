"""The tree of instruments: tags at the leaves, groups (families) at the inner nodes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbretree.labels import Labels

BUILT_IN = ("tone7", "audioset9", "electronic8", "strings6", "hornbostel_sachs")
"""The names of the trees that ship with timbretree; the first is the default."""


class TaxonomyError(ValueError):
    """A tree that is none: a cycle, an orphan, a double, or a file that can't be read as one."""


@dataclass(frozen=True)
class Taxonomy:
    """Which instruments there are and which families they belong to.

    Any depth: a group may hold tags and other groups. The order of ``tags`` and of ``groups`` is
    the order of the columns of every array of labels and probabilities.

    Raises TaxonomyError for a cycle, a tag without a group, a name with two parents, a name that
    is both a tag and a group, and a group without a tag below it.
    """

    name: str
    tags: tuple[str, ...]
    """The F fine tags."""
    children: Mapping[str, tuple[str, ...]] = field(hash=False)
    """The C groups in order, each with its children: names of tags or of other groups."""
    description: str = ""

    def __post_init__(self) -> None:
        _check_names(self)
        _check_parents(self)
        _check_cycles(self)
        _check_empty(self)

    def __eq__(self, other: object) -> bool:
        """Equal in all, the order of the groups included, which dicts would not compare."""
        if not isinstance(other, Taxonomy):
            return NotImplemented
        return json.dumps(self.to_dict()) == json.dumps(other.to_dict())

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the C groups: all inner nodes of the tree."""
        return tuple(self.children)

    @cached_property
    def parents(self) -> dict[str, str]:
        """The group above each tag and each group that has one."""
        return {child: group for group, below in self.children.items() for child in below}

    @cached_property
    def members(self) -> NDArray[np.bool_]:
        """(F, C): True where tag f lies anywhere below group c."""
        below = np.zeros((len(self.tags), len(self.groups)), dtype=bool)
        for row, tag in enumerate(self.tags):
            below[row, [self.groups.index(group) for group in self.path(tag)]] = True
        return below

    @cached_property
    def ancestors(self) -> NDArray[np.bool_]:
        """(C, C): True where group j is group i itself or lies above it."""
        above = np.eye(len(self.groups), dtype=bool)
        for row, group in enumerate(self.groups):
            above[row, [self.groups.index(upper) for upper in self.path(group)]] = True
        return above

    @cached_property
    def parent_index(self) -> NDArray[np.int64]:
        """(F,): the column of the group directly above each tag."""
        return np.array([self.groups.index(self.parents[tag]) for tag in self.tags])

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """(E, 2): child and parent of each pair in the tree, nodes counted tags first, then groups
        (so that group k is node F + k)."""
        nodes = {name: number for number, name in enumerate((*self.tags, *self.groups))}
        return np.array([(nodes[child], nodes[group]) for child, group in self.parents.items()])

    def path(self, name: str) -> list[str]:
        """The groups above a tag or group, nearest first."""
        path = []
        while name in self.parents:
            name = self.parents[name]
            path.append(name)
        return path

    def roots(self) -> list[str]:
        """The groups with nothing above them, in order."""
        return [group for group in self.groups if group not in self.parents]

    def below(self, group: str) -> list[str]:
        """All tags below a group, in order."""
        column = self.groups.index(group)
        return [
            tag for tag, member in zip(self.tags, self.members[:, column], strict=True) if member
        ]

    def lift(self, fine: Labels, rule: str = "observed-any") -> Labels:
        """Make the labels of the groups from the labels of the tags.

        ``fine`` holds bool arrays (..., F); the answer holds bool arrays (..., C). A group is
        present where any tag below it is known present. The rules differ in what is absent:

        - ``observed-any`` (what the paper must have used; the default): absent where any tag
          below is observed and none of those is present.
        - ``kleene`` (strict): absent only where every tag below is observed absent; else unknown.

        See ``docs/paper.md`` for why it matters. Raises ValueError for another rule or shape.
        """
        target, mask = np.asarray(fine.target, dtype=bool), np.asarray(fine.mask, dtype=bool)
        if target.shape != mask.shape or target.shape[-1:] != (len(self.tags),):
            raise ValueError(
                f"lift expects target and mask of shape (..., {len(self.tags)}), "
                f"got {target.shape} and {mask.shape}"
            )
        present = ((target & mask)[..., None] & self.members).any(axis=-2)
        return Labels(present, present | self._absent_may_be_told(mask, rule))

    def _absent_may_be_told(self, mask: NDArray[np.bool_], rule: str) -> NDArray[np.bool_]:
        if rule == "observed-any":
            return np.asarray((mask[..., None] & self.members).any(axis=-2))
        if rule == "kleene":
            return np.asarray((mask[..., None] | ~self.members).all(axis=-2))
        raise ValueError(f"the rule is observed-any or kleene, got {rule!r}")

    def to_dict(self) -> dict[str, Any]:
        """The tree as plain data, in the form that files have."""
        groups = {group: list(below) for group, below in self.children.items()}
        return {
            "name": self.name,
            "description": self.description,
            "tags": list(self.tags),
            "groups": groups,
        }

    @classmethod
    def from_dict(cls, data: Any) -> "Taxonomy":
        """Read a tree from plain data: ``name``, ``groups`` (group -> children) and, if the order
        of the tags matters, ``tags``; without it, tags come in the order in which groups name them.
        """
        if not isinstance(data, dict) or not isinstance(data.get("groups"), dict):
            raise TaxonomyError(
                'a taxonomy is a table with "groups": {group: [child, ...]}, '
                f"got {type(data).__name__}{' without groups' if isinstance(data, dict) else ''}"
            )
        if unknown := sorted(set(data) - {"name", "description", "tags", "groups"}):
            raise TaxonomyError(
                f"unknown entry {unknown[0]!r}; a taxonomy has name, description, tags and groups"
            )
        children = {str(group): _names(group, below) for group, below in data["groups"].items()}
        leaves = [name for below in children.values() for name in below if name not in children]
        tags = _names("tags", data["tags"]) if "tags" in data else tuple(dict.fromkeys(leaves))
        return cls(str(data.get("name", "")), tags, children, str(data.get("description", "")))

    @classmethod
    def load(cls, source: str | Path) -> "Taxonomy":
        """Load a built-in tree by its name, or one of your own from a .json, .yaml or .yml file."""
        if str(source) in BUILT_IN:
            return cls.from_dict(json.loads(_built_in(str(source)).read_text("utf-8")))
        path = Path(source)
        if path.suffix.lower() not in READERS:
            raise TaxonomyError(
                f"no built-in taxonomy is called {str(source)!r} "
                f"(there are {', '.join(BUILT_IN)}), "
                "and a file of your own ends in .json, .yaml or .yml"
            )
        try:
            data = READERS[path.suffix.lower()](path.read_text("utf-8"))
            return cls.from_dict(data)
        except FileNotFoundError:
            raise TaxonomyError(f"{path}: there is no such file") from None
        except OSError as error:
            raise TaxonomyError(f"{path}: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            raise TaxonomyError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write the tree to a .json, .yaml or .yml file, in the form that ``load`` reads."""
        path = Path(path)
        if path.suffix.lower() == ".json":
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
        elif path.suffix.lower() in READERS:
            import yaml

            text = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        else:
            raise TaxonomyError(f"{path}: a taxonomy is saved as .json, .yaml or .yml")
        path.write_text(text, "utf-8")


def _built_in(name: str) -> Path:
    return Path(__file__).with_name("taxonomies") / f"{name}.json"


def _names(owner: object, below: object) -> tuple[str, ...]:
    if not isinstance(below, list) or not all(isinstance(name, str) for name in below):
        raise TaxonomyError(f"{owner!s} must be a list of names, got {below!r}")
    return tuple(below)


def _check_names(tree: Taxonomy) -> None:
    for kind, names in (("tag", tree.tags), ("group", tree.groups)):
        if not names:
            raise TaxonomyError(f"a taxonomy needs at least one {kind}")
        if "" in names:
            raise TaxonomyError(f"a {kind} has an empty name")
    if doubles := [tag for tag in dict.fromkeys(tree.tags) if tree.tags.count(tag) > 1]:
        raise TaxonomyError(f"tag {doubles[0]!r} is listed twice")
    if both := [tag for tag in tree.tags if tag in tree.children]:
        raise TaxonomyError(f"{both[0]!r} is both a tag and a group; give the group another name")


def _check_parents(tree: Taxonomy) -> None:
    parent: dict[str, str] = {}
    for group, below in tree.children.items():
        for child in below:
            if child in parent:
                raise TaxonomyError(
                    f"{child!r} is in {parent[child]!r} and in {group!r}; one parent each, please"
                )
            if child not in tree.tags and child not in tree.children:
                raise TaxonomyError(
                    f"group {group!r} holds {child!r}, which is no tag and no group"
                )
            parent[child] = group
    if orphans := [tag for tag in tree.tags if tag not in parent]:
        raise TaxonomyError(f"tag {orphans[0]!r} is in no group; put it into one, alone if need be")


def _check_cycles(tree: Taxonomy) -> None:
    for group in tree.groups:
        path = [group]
        while path[-1] in tree.parents:
            path.append(tree.parents[path[-1]])
            if path[-1] == group:
                raise TaxonomyError(f"the groups form a cycle: {' < '.join(path)}")
            if len(path) > len(tree.groups):
                break  # a cycle further up, reported when its own members have their turn


def _check_empty(tree: Taxonomy) -> None:
    if empty := [group for group in tree.groups if not tree.below(group)]:
        raise TaxonomyError(f"group {empty[0]!r} has no tag below it")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if strange := [name for name in names if not isinstance(name, str)]:
        raise TaxonomyError(f"{strange[0]!r} is no name; put it into quotes")
    if doubles := [name for name in names if names.count(name) > 1]:
        raise TaxonomyError(f"{doubles[0]!r} is listed twice")
    return dict(pairs)


def _read_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique)


def _read_yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that comes twice, which YAML would let win in silence."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            return _unique(
                [
                    (self.construct_object(key), self.construct_object(value, deep=True))
                    for key, value in node.value
                ]
            )

    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise TaxonomyError(f"not YAML: {error}") from error


READERS = {".json": _read_json, ".yaml": _read_yaml, ".yml": _read_yaml}
