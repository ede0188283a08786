"""The verb that serves a page: drop a recording and see, search a library."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbretree.cli.talk import refuse, say

if TYPE_CHECKING:
    from socket import socket

    from timbretree.library import Library
    from timbretree.web import Access, ServeLimits

Collection = Annotated[
    Path | None,
    typer.Option(
        help="A library made by `timbretree scan`, to search in the page (default: the usual one)."
    ),
]
Host = Annotated[
    str, typer.Option(help="The address to listen at; beyond this machine with a token.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any that is free.")]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="TIMBRETREE_TOKEN",
        help="A secret of 16 letters or more that everyone must show who comes in.",
        show_envvar=True,
    ),
]
Name = Annotated[
    list[str] | None,
    typer.Option(help="Another name that the server is reached by, such as a proxy's. Repeatable."),
]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Recordings heard at a time (default: one a core).")
]
Megabytes = Annotated[int, typer.Option(min=1, max=1 << 20, help="The largest file taken, in MB.")]
Patience = Annotated[
    float,
    typer.Option(min=0.1, help="Seconds without a byte after which a client is given up."),
]
Hours = Annotated[float, typer.Option(min=0.001, max=48, help="How much of a recording is heard.")]


def serve(
    library: Collection = None,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    token: Token = None,
    name: Name = None,
    jobs: Jobs = None,
    max_megabytes: Megabytes = 1024,
    max_hours: Hours = 2.0,
    patience: Patience = 20.0,
) -> None:
    """Serve a page that shows what is heard in a recording, and searches a library.

    It listens on this machine only, unless --host says otherwise and --token keeps strangers out.
    The address is printed on standard output; Ctrl-C ends it.
    """
    _need_serving()
    import signal

    from timbretree.web import Access, ServeLimits

    try:
        access = Access(host, token, tuple(name or ()))
    except ValueError as error:
        refuse(f"{error}; here is one that nobody has: --token {_new_token()}")
    limits = ServeLimits(
        upload_bytes=max_megabytes << 20, seconds=max_hours * 3600.0, patience=patience
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uploads are removed, workers ended
    with _listen(host, port) as listening:
        _run(listening, access, limits, library, jobs)


def _run(
    listening: "socket",
    access: "Access",
    limits: "ServeLimits",
    library: Path | None,
    jobs: int | None,
) -> None:
    from contextlib import ExitStack

    from timbretree.batch import Crew, HowToTag
    from timbretree.modelfile import read_info
    from timbretree.web import create_app, run, spool

    how = HowToTag(max_seconds=limits.seconds)
    with ExitStack() as open_now:
        if found := _open(library):
            open_now.enter_context(found)
        crew = open_now.enter_context(Crew(how, jobs=jobs))
        space = open_now.enter_context(spool(limits))
        app = create_app(crew, space, info=read_info(how.model), access=access, library=found)
        _tell(listening, access)
        run(app, listening, limits)
    say("timbretree: stopped")


def _open(path: Path | None) -> "Library | None":
    """The library that was named, or the usual one where there is one."""
    from timbretree.library import Library, LibraryError, default_place

    if path is None and not default_place().is_file():
        return None
    try:
        return Library(path or default_place())
    except LibraryError as error:
        refuse(str(error))


def _listen(host: str, port: int) -> "socket":
    """Take the port at once, so that one in use is said before anything is started."""
    import socket

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)  # who comes before all is ready waits
    except OSError as error:
        why = error.strerror or str(error)
        refuse(f"can't listen at {host}, port {port}: {why}; try another --port, or --port 0")
    return listening


def _tell(listening: "socket", access: "Access") -> None:
    from urllib.parse import quote

    host, port = access.host, listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    secret = f"?token={quote(access.token, safe='')}" if access.token else ""
    print(f"http://{shown}:{port}/{secret}", flush=True)
    say("timbretree: open this address in a browser; Ctrl-C ends it")
    if access.token and not access.stays_here:
        say("timbretree: what is sent can be read on the way; see docs/security.md for https")


def _new_token() -> str:
    import secrets

    return secrets.token_urlsafe(24)


def _need_serving() -> None:
    from importlib.util import find_spec

    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        refuse("serving needs more than tagging: pip install 'timbretree[serve]'")
