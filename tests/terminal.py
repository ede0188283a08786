"""A terminal that nobody sees, on which a command draws."""

import os
import pty
import select
import subprocess
from collections.abc import Sequence


def on_a_terminal(arguments: Sequence[str]) -> str:
    """What a command draws on a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=theirs) as child:
        os.close(theirs)
        drawn = b""
        while child.poll() is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    drawn += os.read(ours, 1 << 16)
                except OSError:  # the other end is closed
                    break
    os.close(ours)
    return drawn.decode()
