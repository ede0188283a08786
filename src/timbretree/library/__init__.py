"""A music collection you can ask: which of my tracks have a clarinet, and where?"""

from timbretree.library.answers import Match as Match
from timbretree.library.answers import NameStats as NameStats
from timbretree.library.answers import Page as Page
from timbretree.library.answers import Row as Row
from timbretree.library.answers import Stats as Stats
from timbretree.library.answers import Track as Track
from timbretree.library.catalogue import Summary as Summary
from timbretree.library.collection import Library as Library
from timbretree.library.collection import UnknownTrackError as UnknownTrackError
from timbretree.library.compiling import SORTS as SORTS
from timbretree.library.query import HELP as HELP
from timbretree.library.query import QueryError as QueryError
from timbretree.library.scanning import Scan as Scan
from timbretree.library.scanning import how_of as how_of
from timbretree.library.scanning import scanning as scanning
from timbretree.library.store import LibraryError as LibraryError
from timbretree.library.store import default_place as default_place
from timbretree.spans import Span as Span
