"""timbretree hears which instruments play in a recording, from the family to the instrument.

>>> from timbretree import Tagger
>>> tags = Tagger()("song.mp3")
>>> tags.present
['piano', 'violin']
"""

from typing import TYPE_CHECKING

from timbretree.lazily import lazily

if TYPE_CHECKING:
    from timbretree.audio import Clip
    from timbretree.tagger import Tagger
    from timbretree.tags import Tags
    from timbretree.taxonomy import Taxonomy

__version__ = "0.1.0"
__all__ = ["Clip", "Tagger", "Tags", "Taxonomy"]

__getattr__ = lazily(
    __name__, {"Clip": "audio", "Tagger": "tagger", "Tags": "tags", "Taxonomy": "taxonomy"}
)
