"""Many recordings: workers that survive what kills them, jobs that survive a power cut."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbretree.batch.crew import Crew as Crew
    from timbretree.batch.how import CrewError as CrewError
    from timbretree.batch.how import CrewLimits as CrewLimits
    from timbretree.batch.how import HowToTag as HowToTag

_HOMES = {"Crew": "crew", "CrewError": "how", "CrewLimits": "how", "HowToTag": "how"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: a worker needs nothing of its crew."""
    if name not in _HOMES:
        raise AttributeError(f"module 'timbretree.batch' has no attribute {name!r}")
    return getattr(import_module(f"timbretree.batch.{_HOMES[name]}"), name)
