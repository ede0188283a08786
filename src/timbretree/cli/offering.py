"""What the Tab key offers for values that have known names but may be others, too."""

from collections.abc import Callable

TAXONOMY_NAMES = ("tone7", "audioset9", "electronic8", "strings6", "hornbostel_sachs")
"""The same as ``timbretree.taxonomy.BUILT_IN``, without loading numpy."""
PAPER = ("flat", "levelwise", "topdown", "gap", "lp", "gmp", "resatt")
METHOD_NAMES = (*PAPER, "levelwise-plain", "mcm", *(f"{name}-kleene" for name in PAPER[1:]))
"""The same as ``timbretree.methods.METHODS``, without loading torch."""
BACKBONE_NAMES = ("cnn14", "mn04")
"""The same as ``timbretree.backbones.BACKBONES``."""
RESOURCE_NAMES = ("openmic", "cnn14-16k", "mn04-as")
"""The same as ``timbretree.fetch.RESOURCES``."""


def offer(*names: str) -> Callable[[], list[str]]:
    """For ``autocompletion`` of an option. Typer leaves out what begins otherwise than what was
    typed; where nothing is left, the shell offers files."""
    return lambda: list(names)
