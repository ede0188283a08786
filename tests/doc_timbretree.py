"""``timbretree`` as the pages' commands find it in a scene: what can be fetched is made up, lies on
loopback and is known by its own digests; all else is as it is."""

import json
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from timbretree.cli import main


def make_do() -> None:
    """Put the scene's files in the places of those that somebody publishes."""
    from timbretree import checkpoint
    from timbretree.fetch import RESOURCES

    made = json.loads(Path(os.environ["DOC_RESOURCES"]).read_text("utf-8"))
    for name, (url, size, digest) in made.items():
        RESOURCES[name] = replace(
            RESOURCES[name], urls=(url,), size=size, algorithm="sha256", digest=digest
        )
    for backbone, name in (("cnn14", "cnn14-16k"), ("mn04", "mn04-as")):
        load = checkpoint.LOADERS[backbone]
        checkpoint.LOADERS[backbone] = partial(load, sha256=RESOURCES[name].digest)


if {"fetch", "train", "reproduce"} & set(sys.argv[1:2]):  # in their worker processes, too
    make_do()
if __name__ == "__main__":
    sys.argv[0] = "timbretree"
    main()
