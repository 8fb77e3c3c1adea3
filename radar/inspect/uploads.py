"""From a request to photos: one image as the body, or several as the files of a form. Names are told back and open nothing."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from radar.config.verbs import InspectConfig
from radar.runtime.crops import names_no_crop
from radar.runtime.decoding import pixel_count, reading
from radar.runtime.errors import ImageError
from radar.runtime.photo import Photo, decoded_photo
from radar.runtime.picture import Scorer
from radar.runtime.terminal import printable

_NAME_LENGTH = 1000  # of what is told of a name, and longer ones are refused
_UNNAMED = "image"
_END = 4096  # bytes at the end of a form, of which the line that ends it is one
_IN_MEMORY = 1 << 20  # bytes of what is arriving; the rest lies on the disk


@dataclass(frozen=True, eq=False)
class Upload:
    """A file with an image's bytes, and what its sender calls it."""

    name: str
    file: IO[bytes]

    def photo(self, scorer: Scorer, megapixels: float) -> Photo:
        """Decoded; more than `megapixels` are refused by the header, before memory is taken for them."""
        path = Path(self.name[:_NAME_LENGTH] or _UNNAMED)
        if len(self.name) > _NAME_LENGTH:  # what is cut off may ask for a crop
            return _unread(path, f"its name has more than {_NAME_LENGTH} characters; send it with a shorter one")
        if names_no_crop(path):
            return _unread(path, "its name asks for a crop that is none")
        self.file.seek(0)
        pixels = _pixels(content := self.file.read())
        if pixels <= megapixels * 1e6:
            return decoded_photo(path, content, scorer)
        error = (
            f"has {pixels / 1e6:.3g} million pixels, and at most {megapixels:g} are taken; send a smaller image, or start with "
            "megapixels=…"
        )
        return _unread(path, error)


def _unread(path: Path, error: str) -> Photo:
    return Photo(path, None, True, None, 0.0, None, error)


class _Parts(MultiPartParser):
    """The parts of a form; one that says something twice is refused, as of two names of a file one would be taken unseen."""

    def on_header_end(self) -> None:
        header, value = (
            bytes(each).decode("latin-1")
            for each in (self._current_partial_header_name.lower(), self._current_partial_header_value)
        )
        if header.encode("latin-1") in (known for known, _ in self._current_part.item_headers):
            raise MultiPartException(
                f"a part of the form has the header {printable(header[:_NAME_LENGTH])} twice; send it once"
            )
        told = Message()
        told["content-type"] = value  # which is read in the same way, whatever the header is called
        keys = [key.lower() for key, _ in told.get_params([])[1:]]
        if twice := next((key for place, key in enumerate(keys) if key in keys[:place]), None):
            raise MultiPartException(
                f"the header {printable(header[:_NAME_LENGTH])} of a part of the form has {printable(twice[:_NAME_LENGTH])}= twice; "
                "send it once"
            )
        super().on_header_end()


@asynccontextmanager
async def uploads(request: Request, settings: InspectConfig, name: str) -> AsyncIterator[list[Upload]]:
    """The images of a request, on the disk where they are large; `name` is that of a single one.

    Raises `HTTPException`: none, too many, too slow, broken off, no form.
    """
    async with AsyncExitStack() as closing:
        try:
            async with asyncio.timeout(settings.timeout):
                if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
                    found = await _of_form(request, settings.images, closing)
                else:
                    found = [Upload(name, closing.enter_context(await _of_body(request)))]
        except TimeoutError:
            raise HTTPException(408, f"the upload took more than {settings.timeout:g} s; send fewer images") from None
        except ClientDisconnect:
            raise HTTPException(400, "the upload broke off") from None
        except (ValueError, LookupError):  # of a character set that there is not, or that does not fit
            raise HTTPException(400, "the form cannot be read; send it as UTF-8") from None
        if not found or (len(found) == 1 and not found[0].file.seek(0, os.SEEK_END)):
            raise HTTPException(
                400, "no image came; send its bytes as the body, or files in a form (multipart/form-data)"
            )
        yield found


async def _of_body(request: Request) -> IO[bytes]:
    file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - whoever asked for it closes it
    try:
        async for part in request.stream():
            file.write(part)
    except BaseException:
        file.close()
        raise
    return file


async def _of_form(request: Request, most: int, closing: AsyncExitStack) -> list[Upload]:
    """The files of a form. Raises `HTTPException` where a part of it is none, or its end did not come: an image without an answer
    would be taken for a good one."""
    parser = _Parts(request.headers, _to_the_end(request), max_files=most, max_fields=most)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None
    closing.push_async_callback(form.close)
    found = []
    for name, each in form.multi_items():
        if not isinstance(each, UploadFile):
            raise HTTPException(
                400,
                f"the part {printable(name[:_NAME_LENGTH])} of the form is no file; send it with filename= (filename*= is not read)",
            )
        found.append(Upload(each.filename or "", each.file))
    return found


async def _to_the_end(request: Request) -> AsyncGenerator[bytes, None]:
    """The bytes of a form. Raises `HTTPException` where the line that ends it is not among the last."""
    told = Message()
    told["content-type"] = request.headers["content-type"]
    end, last = f"--{told.get_param('boundary')}--".encode("latin-1"), b""
    async for part in request.stream():
        last = (last + part)[-_END:]
        yield part
    if end not in last:
        raise HTTPException(400, "the form broke off: the line that ends it is missing; send it again")


def _pixels(content: bytes) -> int:
    """By the file's header; 0 where decoding will tell what is wrong with it."""
    try:
        return reading(content, math.inf, pixel_count)
    except ImageError:
        return 0
