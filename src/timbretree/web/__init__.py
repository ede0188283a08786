"""A page to look at recordings and to search a library, and the server behind it."""

from timbretree.web.access import Access
from timbretree.web.app import create_app
from timbretree.web.limits import ServeLimits
from timbretree.web.running import run
from timbretree.web.spool import Spool, spool

__all__ = ["Access", "ServeLimits", "Spool", "create_app", "run", "spool"]
