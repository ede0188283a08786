"""How many cores there are to work with; apart from what works on them, which is slow to import."""

import math
import os
from pathlib import Path


def cores() -> int:
    """How many cores this process may use: of the machine, of those it is bound to, and of what its
    container is given."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(bound or 1, _given(Path("/sys/fs/cgroup/cpu.max"))))


def _given(told: Path) -> int:
    """The cores that a control group is given, rounded up; very many where it has no such limit."""
    try:
        quota, period = told.read_text("utf-8").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no Linux, no control groups, or "max"
        return 1_000_000
