"""Who may ask what: the checks in front of every request, and the headers behind it."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Name of the header that must carry `Gate.csrf` in whatever changes something.
CSRF_HEADER = "x-sensitivenets-csrf"
MIN_TOKEN = 16
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # Faces are not left behind in the cache of a browser.
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Gate:
    """What a request must show.

    Attributes
    ----------
    host : str
        The address listened on.
    port : int
        Its port.
    token : str or None
        Asked of everybody where given; must be where `host` is not loopback.
    csrf : str
        Shown to the page alone, and asked of whatever changes something.
    """

    host: str
    port: int
    token: str | None = None
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def cookie(self) -> str:
        """Name of the cookie that carries the token; cookies do not tell ports apart."""
        return f"sensitivenets_{self.port}"

    def refusal(self, scope: Scope) -> Response | None:
        """Say why a request is turned away, if it is."""
        headers = Headers(scope=scope)
        if not self._is_ours(headers.get("host", "")):
            return _refuse(421, "this server does not answer to that name")
        # A page elsewhere may link here, but neither embed pictures nor ask for data.
        is_link = scope["method"] == "GET" and scope["path"] == "/"
        if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"} and not is_link:
            return _refuse(403, "asked from another site")
        if not self._shows_token(scope):
            return _refuse(401, "open the address that the command printed, with its token")
        if scope["method"] in {"GET", "HEAD"}:
            return None
        return self._refusal_of_change(headers)

    def _refusal_of_change(self, headers: Headers) -> Response | None:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _refuse(415, "expected content type application/json")
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers.get('host')}":
            return _refuse(403, "sent from another site")
        if not _same(headers.get(CSRF_HEADER), self.csrf):
            return _refuse(403, "the page is out of date", stale=True)
        return None

    def _is_ours(self, host: str) -> bool:
        """Keep out names that an attacker's DNS points here (DNS rebinding)."""
        try:
            split = urlsplit(f"//{host}")
            name, port = (split.hostname or "").lower(), split.port or 80
        except ValueError:
            return False
        if port != self.port or host != host.strip() or split.username is not None:
            return False
        if is_loopback(self.host):
            return name in _LOOPBACK_NAMES or name == self.host
        # DNS rebinding needs a name: an address is always the machine itself.
        return _is_address(name) or name in {"localhost", self.host.lower(), *_machine_names()}

    def _shows_token(self, scope: Scope) -> bool:
        return self.token is None or _same(Request(scope).cookies.get(self.cookie), self.token)

    def entrance(self, scope: Scope) -> Response | None:
        """Trade the token in the address for a cookie, so that it leaves the address bar."""
        request = Request(scope)
        if self.token is None or request.url.path != "/" or not self._is_ours(_host_of(request)):
            return None
        if not _same(request.query_params.get("token"), self.token):
            return None
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return response


class GateMiddleware:
    """Turns away what the gate refuses, and adds the security headers to every answer.

    Parameters
    ----------
    app : ASGI application
        What lies behind.
    gate : Gate
        The checks.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_SECURITY_HEADERS)
            await send(message)

        answer = self._gate.entrance(scope) or self._gate.refusal(scope)
        await (answer or self._app)(scope, receive, send_with_headers)


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address."""
    if host == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _machine_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.partition(".")[0]}


def _same(shown: str | None, expected: str) -> bool:
    return hmac.compare_digest((shown or "").encode(), expected.encode())


def _host_of(request: Request) -> str:
    return request.headers.get("host", "")


def _refuse(status: int, why: str, *, stale: bool = False) -> Response:
    if status == 401:
        return PlainTextResponse(why, status)
    return JSONResponse({"error": why, "stale": stale}, status)
