"""Many recordings: workers that survive what kills them, jobs that survive a power cut."""

from timbretree.batch.crew import Crew as Crew
from timbretree.batch.how import CrewError as CrewError
from timbretree.batch.how import CrewLimits as CrewLimits
from timbretree.batch.how import HowToTag as HowToTag
