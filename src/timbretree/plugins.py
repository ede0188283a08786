"""What other packages add by entry points: heads, methods, backbones, writers, data sets' readers.

A package names them in the groups ``timbretree.heads``, ``timbretree.methods`` and so on
(docs/contributing.md). Which packages there are is looked up only where a name is not built in or
all are listed: no other command should wait for that.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

Thing = TypeVar("Thing")


class PluginError(ValueError):
    """A name that stands for nothing, or something that another package adds and that can't be had;
    the message says which package and why."""


@dataclass(frozen=True)
class Plugin:
    """One thing that another package adds."""

    name: str
    package: str
    """Which, in which version."""
    load: Callable[[], Any]


def plugins(kind: str) -> list[Plugin]:
    """What other packages add of one kind (``head``, ``writer``), by name; none is imported."""
    from importlib.metadata import entry_points

    found = [
        Plugin(entry.name, f"{entry.dist.name} {entry.dist.version}", entry.load)
        for entry in entry_points(group=f"timbretree.{kind}s")
        if entry.dist is not None
    ]
    return sorted(found, key=lambda each: (each.name, each.package))


class Table(Mapping[str, Thing]):
    """Things of one kind by name: what is built in, then what other packages add.

    What is built in is found without a look at other packages, and none of them takes its place.
    Iterating leaves out what can't be had; ``faults`` says why. Getting such a thing by its name
    raises PluginError.
    """

    def __init__(self, kind: str, wanted: type, built_in: dict[str, Thing]) -> None:
        self.kind, self.built_in = kind, built_in
        self._wanted = wanted

    def __getitem__(self, name: str) -> Thing:
        if name in self.built_in:
            return self.built_in[name]
        plugin, *others = self._plugins[name]
        what = f"{plugin.package} adds the {self.kind} {name!r}"
        if others:
            raise PluginError(f"{what}, and so does {others[0].package}; uninstall one of them")
        try:
            thing: Thing = plugin.load()
        except Exception as error:  # its own code runs, and may raise anything
            why = f"{type(error).__name__}: {error}"
            raise PluginError(f"{what}, which can't be loaded ({why})") from error
        if not isinstance(thing, self._wanted):
            got = f"expected a {self._wanted.__name__}, got a {type(thing).__name__}"
            raise PluginError(f"{what}, which is none ({got})")
        return thing

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        for name in self._plugins:
            if name not in self.built_in and self._fault(name) is None:
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def pick(self, name: str) -> Thing:
        """The thing of that name. Raises PluginError that names all there are where it is none."""
        if name in self:
            return self[name]
        refusal = f"there is no {self.kind} {name!r}; choose from {', '.join(self)}"
        raise PluginError("; ".join([refusal, *self.faults]))

    @property
    def faults(self) -> list[str]:
        """Of each thing that another package adds and that can't be had: which package, and why."""
        return [fault for name in self._plugins if (fault := self._fault(name)) is not None]

    def package(self, name: str) -> str | None:
        """Which package adds a thing, and its version; None of what is built in."""
        return None if name in self.built_in else self._plugins[name][0].package

    @cached_property
    def _plugins(self) -> dict[str, list[Plugin]]:
        found: dict[str, list[Plugin]] = {}
        for each in plugins(self.kind):
            found.setdefault(each.name, []).append(each)
        return found

    def _fault(self, name: str) -> str | None:
        if name in self.built_in:
            package = self._plugins[name][0].package
            return f"{package} adds the {self.kind} {name!r}, but timbretree's own is used"
        try:
            self[name]
        except PluginError as error:
            return str(error)
        return None
