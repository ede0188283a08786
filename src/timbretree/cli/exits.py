"""Ends of a verb that are neither success nor refusal, with the exit codes of shells."""

import os

STOPPED = 130
"""After Ctrl-C."""
PIPE_CLOSED = 141
"""After who reads standard output has read enough, such as head."""


def forget_output() -> None:
    """Nobody reads standard output any more; let nothing that is still held back complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
