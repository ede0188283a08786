"""Who may ask: the Host, the token and the page a request comes from are looked at before it is
read; and what every answer forbids a browser to do."""

import hashlib
import hmac
import ipaddress
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from timbretree.web.trouble import Problem

SHORTEST_TOKEN = 16
"""Letters; fewer could be guessed."""
WAVE_STYLE = "sha256-jyz+/aSLcvl4pJ7PjuSvFYlSCgBZG3DNB5lmp1dZ7ms="
"""The style that the vendored wavesurfer.js puts into its own corner of the page."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' '{WAVE_STYLE}'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self' blob:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
LOCKED = (
    "This page needs a token. Open the whole address that `timbretree serve` printed, with "
    "?token=... at its end.\n"
)


@dataclass(frozen=True)
class Access:
    """Under which names the server may be asked for, and with which token.

    Raises ValueError for a token that is too short, and for a host beyond this machine without one.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    names: tuple[str, ...] = ()
    """More names that the server is reached by, such as a reverse proxy's."""

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise ValueError(f"{self.host} can be reached by others than you, so a token is needed")
        if self.token is not None and not (
            len(self.token) >= SHORTEST_TOKEN and self.token.isascii() and self.token.isprintable()
        ):
            raise ValueError(f"a token has {SHORTEST_TOKEN} plain letters and digits or more")

    @property
    def stays_here(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server, so that no other name was pointed at it."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in (self.host.lower(), *map(str.lower, self.names)):
            return True
        if is_loopback(self.host):
            return is_loopback(name)
        # an address can't be pointed anywhere else, unlike a name
        return _is_address(name) or name in {"localhost", socket.gethostname().lower()}

    @property
    def cookie(self) -> tuple[str, str]:
        """The name and the value of the cookie of those who showed the token."""
        key = (self.token or "").encode()
        name = hashlib.sha256(b"name" + key).hexdigest()[:8]
        return f"timbretree-{name}", hmac.new(key, b"timbretree page", "sha256").hexdigest()

    def opens(self, headers: Headers) -> bool:
        """Whether a request may come in: with the token, or the cookie for it."""
        if self.token is None:
            return True
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(token.strip(), self.token):
            return True
        name, value = self.cookie
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return name in cookies and _same(cookies[name].value, value)


class Guard:
    """Stands before the app; what it refuses is not read."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        shown = self._shown(scope)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), self.access if shown else None)
            await send(message)

        answer = self._refusal(scope, headers, shown)
        await (answer or self.app)(scope, receive, send_on)

    def _refusal(self, scope: Scope, headers: Headers, shown: bool) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.access.knows(hosts[0]):
            return _refuse(403, "wrong_host", "this server does not go by that name")
        if from_elsewhere(scope, headers, hosts[0]):
            return _refuse(403, "wrong_origin", "pages of other servers may not ask this one")
        if shown or self.access.opens(headers):
            return None
        if scope["path"] == "/":
            return PlainTextResponse(LOCKED, 401, {"WWW-Authenticate": "Bearer"})
        return _refuse(401, "no_token", "a token is needed: Authorization: Bearer ...")

    def _shown(self, scope: Scope) -> bool:
        """Whether the token is in the address of the page; nowhere else is it looked for."""
        if scope["path"] != "/" or self.access.token is None:
            return False
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        return _same(asked[0], self.access.token)


def from_elsewhere(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether a browser sends a request for a page of another origin. To follow a link to the page
    itself is everyone's right."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        visit = headers.get("sec-fetch-mode") == "navigate" and scope["method"] in ("GET", "HEAD")
        return not (visit and scope["path"] == "/")
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    name = host.strip("[]").lower()
    if _is_address(name):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def _add_headers(headers: MutableHeaders, opened: Access | None) -> None:
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")
    if opened is not None:
        name, value = opened.cookie
        headers.append("Set-Cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Strict")


def _refuse(status: int, code: str, message: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(Problem(error=code, message=message).model_dump(), status, headers)
