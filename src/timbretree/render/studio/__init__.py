"""From what players play to a finished track in a file."""
