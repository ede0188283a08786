"""Many recordings: workers that survive what kills them, jobs that survive a power cut.

Each is imported when it is asked for: a worker needs nothing of its crew.
"""

from typing import TYPE_CHECKING

from timbretree.lazily import lazily

if TYPE_CHECKING:
    from timbretree.batch.crew import Crew as Crew
    from timbretree.batch.how import CrewError as CrewError
    from timbretree.batch.how import CrewLimits as CrewLimits
    from timbretree.batch.how import HowToTag as HowToTag

__getattr__ = lazily(
    __name__, {"Crew": "crew", "CrewError": "how", "CrewLimits": "how", "HowToTag": "how"}
)
