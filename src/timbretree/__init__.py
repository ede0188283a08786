"""timbretree hears which instruments play in a recording, from the family to the instrument.

>>> from timbretree import Tagger
>>> tags = Tagger()("song.mp3")
>>> tags.present
['piano', 'violin']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbretree.audio import Clip
    from timbretree.tagger import Tagger
    from timbretree.tags import Tags
    from timbretree.taxonomy import Taxonomy

__version__ = "0.1.0"
__all__ = ["Clip", "Tagger", "Tags", "Taxonomy"]

_HOMES = {"Clip": "audio", "Tagger": "tagger", "Tags": "tags", "Taxonomy": "taxonomy"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that ``timbretree --help`` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'timbretree' has no attribute {name!r}")
    return getattr(import_module(f"timbretree.{_HOMES[name]}"), name)
