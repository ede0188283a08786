"""A music collection you can ask: which of my tracks have a clarinet, and where?

What asks is imported with the package, what scans when it is needed.
"""

from typing import TYPE_CHECKING

from timbretree.lazily import lazily
from timbretree.library.answers import Match as Match
from timbretree.library.answers import NameStats as NameStats
from timbretree.library.answers import Page as Page
from timbretree.library.answers import Row as Row
from timbretree.library.answers import Stats as Stats
from timbretree.library.answers import Track as Track
from timbretree.library.collection import Library as Library
from timbretree.library.collection import UnknownTrackError as UnknownTrackError
from timbretree.library.compiling import SORTS as SORTS
from timbretree.library.query import HELP as HELP
from timbretree.library.query import QueryError as QueryError
from timbretree.library.store import LibraryError as LibraryError
from timbretree.library.store import default_place as default_place
from timbretree.spans import Span as Span

if TYPE_CHECKING:
    from timbretree.library.catalogue import Summary as Summary
    from timbretree.library.scan import Scan as Scan
    from timbretree.library.scan import how_of as how_of
    from timbretree.library.scan import scanning as scanning

__getattr__ = lazily(
    __name__, {"Summary": "catalogue", "Scan": "scan", "how_of": "scan", "scanning": "scan"}
)
