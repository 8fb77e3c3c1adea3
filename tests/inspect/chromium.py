"""Headless Chromium, driven over its debugging port: just enough of the protocol to open a page, choose files and read results."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 60  # seconds


def found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class RefusedError(Exception):
    """What the browser answers to a call that it could not do: while it goes to another page, there is nothing to ask."""


class Page:
    """One tab; `problems` is what its console has complained of."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._calls, self.problems = socket, 0, list[str]()

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive(_PATIENCE)).data)
            if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.problems.append(json.dumps(message["params"]))
            if message.get("id") == self._calls:
                if "error" in message:
                    raise RefusedError(f"{method}: {message['error']}")
                return message["result"]  # type: ignore[no-any-return]

    async def value(self, script: str) -> Any:
        """What an expression is, a promise awaited."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait for an expression to be true, across a change of the page."""
        for _ in range(10 * _PATIENCE):
            with suppress(RefusedError):
                if await self.value(script):
                    return
            await asyncio.sleep(0.1)
        raise AssertionError(f"never true: {script}; the page says {await self.value('document.body.innerText')}")

    async def choose(self, selector: str, files: list[Path]) -> None:
        """Give files to an input, as its dialogue does."""
        root = (await self.call("DOM.getDocument"))["root"]["nodeId"]
        node = (await self.call("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        await self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    async def resize(self, width: int, height: int, scheme: str) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


class Browser:
    """A process of its own with one page at `url`; use it with `async with`."""

    def __init__(self, program: str, profile: Path, url: str) -> None:
        self._program, self._profile, self._url = program, profile, url

    async def __aenter__(self) -> Page:
        self._process = subprocess.Popen(
            [self._program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
             f"--user-data-dir={self._profile}", "about:blank"],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._session = aiohttp.ClientSession()
        told = self._profile / "DevToolsActivePort"
        for _ in range(10 * _PATIENCE):
            if told.exists() and told.read_text().count("\n"):
                break
            await asyncio.sleep(0.1)
        port = told.read_text().split()[0]
        async with self._session.get(f"http://127.0.0.1:{port}/json") as answer:
            tab = next(each for each in await answer.json() if each["type"] == "page")
        page = Page(await self._session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0))
        for domain in ("Log", "Runtime", "Page", "DOM"):
            await page.call(f"{domain}.enable")
        await page.call("Page.navigate", url=self._url)
        return page

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._process.terminate()
        self._process.wait(_PATIENCE)
