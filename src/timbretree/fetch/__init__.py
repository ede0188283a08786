"""Large files from elsewhere: what they cost, how they get here whole, and where they lie."""

from timbretree.fetch.archive import unpack
from timbretree.fetch.resources import (
    RESOURCES,
    Cost,
    FetchError,
    Progress,
    Resource,
    cost,
    find_weights,
    weights_folder,
)
from timbretree.fetch.transfer import Patience, download

__all__ = [
    "RESOURCES",
    "Cost",
    "FetchError",
    "Patience",
    "Progress",
    "Resource",
    "cost",
    "download",
    "find_weights",
    "unpack",
    "weights_folder",
]
