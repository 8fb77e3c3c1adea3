"""What stands before every request: who may ask, by which name, from which page, how much may be sent; and headers for browsers."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "radar_inspect"
OPEN = ("/token", "/page/page.css", "/page/token.js", "/page/icon.svg")  # for whoever has no token yet
UPLOADS = ("/predict", "/photos")
_SMALL = 16_384  # bytes of any other body
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Access:
    """Who is let in: by the names in `hosts` alone (and any address, where `any_address`), and with `token` where there is one."""

    hosts: Collection[str]  # in lower case, without a port
    any_address: bool
    token: str | None

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server. A page elsewhere that rebinds its own name to this machine does not."""
        try:
            address = urlsplit(f"//{host}")
            _ = address.port  # which no name has that is not a number below 65,536
        except ValueError:
            return False
        if address.netloc != host or address.username is not None:  # more than a name and a port
            return False
        name = (address.hostname or "").lower()
        return name in self.hosts or (self.any_address and _is_address(name))

    def admits(self, told: str) -> bool:
        """Whether `told` is the token, in a time that tells nothing of it."""
        return self.token is None or hmac.compare_digest(told.encode(errors="replace"), self.token.encode())


class Guard:
    """An application behind the checks; what they refuse does not reach it."""

    def __init__(self, application: ASGIApp, access: Access, most_bytes: int) -> None:
        self._application, self._access, self._most_bytes = application, access, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "http":  # no other is spoken here
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = self._most_bytes if scope["path"] in UPLOADS else _SMALL
        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope), most)

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if refusal is None:
            await self._application(scope, _limited(receive, most), guarded_send)
        else:
            await refusal(scope, receive, guarded_send)

    def _refusal(self, method: str, path: str, headers: Headers, most: int) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._access.knows(host):
            return _refused(421, f"this server is not called {host!r}; start it with hosts=[NAME] if it shall be")
        if origin is not None and _host_of(origin) != host.lower():
            return _refused(403, f"a page of {origin} may not ask this server")
        if path not in OPEN and not self._access.admits(_told(headers)):
            if method == "GET" and path == "/":
                return Response(status_code=303, headers={"Location": "/token"})
            return _refused(401, "send the token that was printed at the start: Authorization: Bearer TOKEN")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            return _too_large(most)
        return None


def _limited(receive: Receive, most: int) -> Receive:
    """Bodies end after `most` bytes, whatever length they had announced."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, _size(most))
        return message

    return limited


def _told(headers: Headers) -> str:
    """The token of a script's header, or of a browser's cookie."""
    scheme, _, told = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return told.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def _host_of(origin: str) -> str | None:
    """Host and port in lower case; None for what is no address of a page."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refused(status: int, detail: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse({"detail": detail}, status, headers)


def _too_large(most: int) -> Response:
    return _refused(413, _size(most))


def _size(most: int) -> str:
    return f"more than {most / 1e6:g} MB at once; send less, or start with megabytes=…"
