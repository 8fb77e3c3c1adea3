"""The server: which address it listens on, who is let in, and its life."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn

from radar.config.verbs import InspectConfig
from radar.errors import ConfigError, RunError
from radar.files import read_bytes
from radar.inspect.application import application
from radar.inspect.guard import Access, Guard
from radar.inspect.inspection import Inspection

_LARGEST_TOKEN = 4096  # bytes of its file
_TOKEN = re.compile(r"[\w.~-]{16,200}", re.ASCII)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SHUTDOWN = 5  # seconds that answers in the making have when it ends


def bound(settings: InspectConfig) -> socket.socket:
    """A socket that listens. Raises `RunError` where the address is not this machine's or the port is taken."""
    try:
        family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise RunError(
            f"host={settings.host} port={settings.port}: cannot be listened on ({reason}); "
            "choose another with port=…, 0 for any free one"
        ) from None


def stored_token(path: Path) -> str:
    """The token in a file. Raises `ConfigError`."""
    try:
        token = read_bytes(path, "write a token into it", _LARGEST_TOKEN).decode().strip()
    except FileNotFoundError:
        raise ConfigError(f"{path}: is not there; write a token into it") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is no text; write a token into it") from None
    if not _TOKEN.fullmatch(token):
        raise ConfigError(f"{path}: a token has 16 to 200 letters, digits and . _ ~ -, and stands alone in its file")
    return token


def access(listening: socket.socket, settings: InspectConfig, token: str | None) -> Access:
    """Who is let in: on loopback anybody, elsewhere who has the token, which is drawn where none is given."""
    address = ipaddress.ip_address(listening.getsockname()[0])
    names = {*_LOOPBACK, settings.host.lower(), str(address), *(name.lower() for name in settings.hosts)}
    if address.is_unspecified:
        names.add(socket.gethostname().lower())
    if token is None and not address.is_loopback:
        token = secrets.token_urlsafe(32)
    return Access(frozenset(names), address.is_unspecified, token)


def url(listening: socket.socket, settings: InspectConfig) -> str:
    """By which a browser finds it."""
    address, port = listening.getsockname()[:2]
    host = socket.gethostname() if ipaddress.ip_address(address).is_unspecified else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def guarded(inspection: Inspection, allowed: Access) -> Guard:
    """The application behind its checks."""
    return Guard(application(inspection, allowed), allowed, round(inspection.settings.megabytes * 1e6))


def serve(guard: Guard, listening: socket.socket) -> None:
    """Answer until a signal ends it."""
    config = uvicorn.Config(
        guard,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=_SHUTDOWN,
    )
    with suppress(KeyboardInterrupt):  # which uvicorn raises once more when all is closed
        uvicorn.Server(config).run(sockets=[listening])
