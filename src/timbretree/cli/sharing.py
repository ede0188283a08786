"""Verbs for those who share models: push one to a hub, pull one from it."""

from pathlib import Path
from typing import Annotated

import typer

from timbretree.cli.talk import Force, refuse, say

Repository = Annotated[str, typer.Argument(help="OWNER/NAME.", show_default=False)]


def push(
    model: Annotated[Path, typer.Argument(help="A model file.", show_default=False)],
    repository: Repository,
    private: Annotated[bool, typer.Option("--private", help="Show it to nobody else.")] = False,
) -> None:
    """Put a model file and its card on the Hugging Face Hub.

    Who you are is told by `hf auth login` or HF_TOKEN; HF_ENDPOINT is another hub's address.
    """
    from timbretree.hub import HubError, push
    from timbretree.modelfile import ModelFileError

    try:
        print(push(model, repository, private=private))
    except (HubError, ModelFileError) as error:
        refuse(str(error))


def pull(
    repository: Repository,
    out: Annotated[Path | None, typer.Option(help="Where to put it (default: NAME.onnx).")] = None,
    revision: Annotated[str | None, typer.Option(help="A branch, a tag or a commit.")] = None,
    force: Force = False,
) -> None:
    """Fetch a model file from the Hugging Face Hub, and verify it."""
    from timbretree.hub import HubError, pull
    from timbretree.modelfile import ModelFileError

    place = out or Path(f"{repository.rsplit('/', 1)[-1]}.onnx")
    if place.exists() and not force:
        refuse(f"{place} exists already; add --force to overwrite it")
    try:
        info = pull(repository, place, revision=revision)
    except (HubError, ModelFileError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{place} can't be written: {error.strerror or error}")
    say(f"{place}: {info.name}, {len(info.taxonomy.tags)} instruments, licence {info.licence}")
