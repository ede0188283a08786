"""Model files on a hub: pushed with a card for people, pulled and verified like any other."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timbretree import __version__
from timbretree.files import write_whole
from timbretree.modelfile import ModelFile, ModelFileError, ModelInfo
from timbretree.writers import card

MODEL, CARD = "model.onnx", "README.md"
"""The names of the two files in a repository."""


class HubError(RuntimeError):
    """Nothing was pushed or pulled; the message says why."""


def push(
    model: str | Path,
    repository: str,
    *,
    token: str | None = None,
    endpoint: str | None = None,
    private: bool = False,
) -> str:
    """Put a model file and its card into a repository (OWNER/NAME), made if there is none.

    Both are put there in one commit. ``endpoint`` is another hub's address; without ``token`` that
    of ``hf auth login`` is used. The address of the commit comes back. Raises ModelFileError for a
    file that is no good, before anything is sent, and HubError.
    """
    opened = ModelFile(model)
    hub = _hub()
    files = {MODEL: opened.path.read_bytes(), CARD: model_card(opened.info, repository).encode()}
    api = _api(hub, token, endpoint)
    with _explained(hub, repository):
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.create_commit(
            repository,
            [hub.CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=f"{opened.info.name}, by timbretree {__version__}",
        )
    return str(done.commit_url)


def pull(
    repository: str,
    out: Path,
    *,
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
) -> ModelInfo:
    """Fetch a repository's model file to ``out``, which is replaced, once it has been verified.

    ``revision`` is a branch, a tag or a commit. Raises ModelFileError where what came is no model
    file that can be used, and HubError; ``out`` is then as it was.
    """
    hub = _hub()
    with _explained(hub, repository):
        fetched = _api(hub, token, endpoint).hf_hub_download(repository, MODEL, revision=revision)
    try:
        opened = ModelFile(fetched)
    except ModelFileError as error:
        # the file's place in a cache says nothing to anybody
        raise ModelFileError(str(error).replace(fetched, f"{repository}/{MODEL}")) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, Path(fetched).read_bytes())
    return opened.info


def model_card(info: ModelInfo, repository: str) -> str:
    """The page of a model on a hub: what machines look for at its head, then the card."""
    licence = info.licence.strip()
    head: dict[str, Any] = {
        "license": "mit" if licence.upper() == "MIT" else "other",
        **({} if licence.upper() == "MIT" else {"license_name": licence}),
        "library_name": "timbretree",
        "pipeline_tag": "audio-classification",
        "tags": ["music", "instrument-recognition", "timbretree", "onnx"],
    }
    # JSON is YAML, and needs no care about what is in a licence's name
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in head.items()]
    return "\n".join(
        [
            "---",
            *lines,
            "---",
            "",
            f"# {info.name}",
            "",
            f"Hears {len(info.taxonomy.tags)} instruments in {len(info.taxonomy.groups)} families.",
            "",
            "```sh",
            "pip install 'timbretree[hub]'",
            f"timbretree pull {repository} --out model.onnx",
            "timbretree tag --model model.onnx song.mp3",
            "```",
            "",
            "```",
            card.write(info).rstrip("\n").replace("```", "'''"),
            "```",
            "",
        ]
    )


@contextmanager
def _explained(hub: Any, repository: str) -> Iterator[None]:
    """Turn what the hub's library raises into HubError."""
    errors = hub.errors
    try:
        yield
    except errors.HFValidationError as error:
        raise HubError(f"expected OWNER/NAME, got {repository!r}: {error}") from error
    except errors.LocalTokenNotFoundError as error:
        raise HubError("the hub wants to know who you are: hf auth login") from error
    except (errors.HfHubHTTPError, errors.EntryNotFoundError, OSError) as error:
        words = " ".join(str(error).split())
        raise HubError(f"{repository}: {words or type(error).__name__}") from error


def _hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise HubError(
            "push and pull need the hub's library: pip install 'timbretree[hub]'"
        ) from error
    return huggingface_hub


def _api(hub: Any, token: str | None, endpoint: str | None) -> Any:
    return hub.HfApi(
        endpoint=endpoint, token=token, library_name="timbretree", library_version=__version__
    )
