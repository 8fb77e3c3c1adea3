"""The page of `radar inspect`, started for a script that asks it."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from radar.errors import RunError


def started(arguments: Sequence[str], folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The server that `arguments` start in `folder`, and its address, once the page is there. Raises `RunError` where it ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [*arguments, f"port={port}"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while server.poll() is None:
            try:
                with urllib.request.urlopen(f"{address}/", timeout=5):
                    return server, address
            except OSError:
                time.sleep(0.05)
    except BaseException:
        server.kill()
        raise
    raise RunError(f"radar inspect: ended with exit code {server.returncode}")
