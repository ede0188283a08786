"""Which instruments play: the fields `instruments` and `instrument_families` of a beets library."""

import os
from collections.abc import Iterable
from functools import cached_property
from optparse import Values

from beets.dbcore import types
from beets.importer import ImportSession, ImportTask
from beets.library import Item, Library
from beets.plugins import BeetsPlugin
from beets.ui import Subcommand, UserError, print_

from timbretree import Tagger
from timbretree.modelfile import SHIPPED, ModelFileError
from timbretree.tags import GroupScore, TagScore, plain


class InstrumentsPlugin(BeetsPlugin):
    """Hears each track on import, and by ``beet instruments [QUERY]``."""

    item_types = {  # noqa: RUF012  # beets reads it so
        "instruments": types.MULTI_VALUE_DSV,
        "instrument_families": types.MULTI_VALUE_DSV,
    }

    def __init__(self) -> None:
        super().__init__()
        self.config.add({"auto": True, "force": False, "model": None, "threshold": None})
        if self.config["auto"].get(bool):
            self.import_stages = [self.imported]

    @cached_property
    def tagger(self) -> Tagger:
        """Opened when the first track is heard. Raises UserError for a bad model file."""
        model = self.config["model"].get()
        try:
            return Tagger(SHIPPED if model is None else self.config["model"].as_filename())
        except ModelFileError as error:
            raise UserError(str(error)) from error

    def commands(self) -> list[Subcommand]:
        """``beet instruments``"""
        command = Subcommand("instruments", help="hear which instruments play")
        command.parser.add_option("-f", "--force", action="store_true", help="hear again")
        command.parser.add_option("-p", "--pretend", action="store_true", help="store nothing")
        command.func = self.asked
        return [command]

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Hear what was just imported."""
        self.hear(task.imported_items(), force=self.config["force"].get(bool))

    def asked(self, library: Library, options: Values, query: list[str]) -> None:
        """Hear what a query finds, and say what was heard."""
        force = options.force or self.config["force"].get(bool)
        for item in self.hear(library.items(query), force=force, pretend=options.pretend):
            print_(f"{item}: {item.formatted()['instruments'] or '-'}")

    def hear(
        self, items: Iterable[Item], *, force: bool, pretend: bool | None = False
    ) -> list[Item]:
        """Fill the fields of the items that have none yet; those heard come back. A file that can't
        be heard is named in the log and keeps what it has."""
        heard = []
        for item in items:
            if "instruments" in item.keys(with_album=False) and not force:
                continue
            tags = self.tagger(os.fsdecode(item.path))
            if tags.status == "failed":
                self._log.error("{}: {}", tags.file, tags.message)
                continue
            item["instruments"] = self.names((each.tag, each) for each in tags.tags)
            item["instrument_families"] = self.names((each.group, each) for each in tags.groups)
            if not pretend:
                item.store()
            heard.append(item)
        return heard

    def names(self, scores: Iterable[tuple[str, TagScore | GroupScore]]) -> list[str]:
        """Those that play, the most probable first: as the model says, or from the threshold on."""
        threshold = self.config["threshold"].get()
        ranked = sorted(scores, key=lambda each: -each[1].probability)
        return [
            plain(name)
            for name, score in ranked
            if (score.present if threshold is None else score.probability >= threshold)
        ]
