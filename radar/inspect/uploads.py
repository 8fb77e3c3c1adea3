"""From a request to photos: one image as the body, or several as the files of a form. Names are told back and open nothing."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from pathlib import Path

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from radar.config.verbs import InspectConfig
from radar.runtime.crops import names_no_crop
from radar.runtime.decoding import pixel_count, reading
from radar.runtime.errors import ImageError
from radar.runtime.photo import Photo, decoded_photo
from radar.runtime.picture import Scorer

_NAME_LENGTH = 1000  # of what is kept of a name
_UNNAMED = "image"


@dataclass(frozen=True, eq=False)
class Upload:
    """An image's bytes, and what its sender calls it."""

    name: str
    content: bytes

    def photo(self, scorer: Scorer, megapixels: float) -> Photo:
        """Decoded; more than `megapixels` are refused by the header, before memory is taken for them."""
        path = Path(self.name[:_NAME_LENGTH] or _UNNAMED)
        if names_no_crop(path):
            return Photo(path, None, True, None, 0.0, None, "its name asks for a crop that is none")
        pixels = _pixels(self.content)
        if pixels <= megapixels * 1e6:
            return decoded_photo(path, self.content, scorer)
        error = (
            f"has {pixels / 1e6:.3g} million pixels, and at most {megapixels:g} are taken; send a smaller image, or start with "
            "megapixels=…"
        )
        return Photo(path, None, True, None, 0.0, None, error)


async def uploads(request: Request, settings: InspectConfig, name: str) -> list[Upload]:
    """The images of a request; `name` is that of a single one. Raises `HTTPException`: none, too many, too slow, broken off."""
    try:
        async with asyncio.timeout(settings.timeout):
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                found = await _of_form(request, settings.images)
            else:
                found = [Upload(name, await request.body())]
    except TimeoutError:
        raise HTTPException(408, f"the upload took more than {settings.timeout:g} s; send fewer images") from None
    except ClientDisconnect:
        raise HTTPException(400, "the upload broke off") from None
    if not found or (not found[0].content and len(found) == 1):
        raise HTTPException(400, "no image came; send its bytes as the body, or files in a form (multipart/form-data)")
    return found


async def _of_form(request: Request, most: int) -> list[Upload]:
    async with request.form(max_files=most, max_fields=most) as form:  # which answers 400 to more
        files = [each for _, each in form.multi_items() if isinstance(each, UploadFile)]
        return [Upload(each.filename or "", await each.read()) for each in files]


def _pixels(content: bytes) -> int:
    """By the file's header; 0 where decoding will tell what is wrong with it."""
    try:
        return reading(content, math.inf, pixel_count)
    except ImageError:
        return 0
