"""The routes: the page and its pictures, and `POST /predict` with its description. Each name in a path is looked up in memory."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Strict

import radar
from radar.data.preprocessing import preprocessing_of
from radar.deploy.reviewed import WITHDRAWN
from radar.errors import RadarError
from radar.inspect.gallery import Kept
from radar.inspect.guard import COOKIE, Access
from radar.inspect.inspection import Inspection
from radar.inspect.pictures import LAYERS
from radar.inspect.uploads import uploads
from radar.runtime.examination import MODEL_DIGITS
from radar.runtime.prediction import Prediction, json_line
from radar.runtime.terminal import printable, steers
from radar.thresholds import Threshold

_QUERY = ("name",)  # keys of POST /predict, and of POST /photos
_NO_OBJECT = "dataclass_type"  # how pydantic calls what it tells with the name of a class of ours
_KEY_LENGTH = 100  # of what is told back of another one
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_IMAGE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"type": "object", "properties": {"images": {"type": "array", "items": _IMAGE["schema"]}}}
_BODY = {
    "required": True,
    "content": {
        **dict.fromkeys(("image/png", "image/jpeg", "image/bmp", "image/tiff"), _IMAGE),
        "multipart/form-data": {"schema": _FORM},
    },
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "No image came, or too many, a key is unknown or comes twice, or the upload broke off."},
    401: {"description": "The token is missing or wrong."},
    403: {"description": "Sent by a page of another origin."},
    408: {"description": "The upload took too long."},
    413: {"description": "More bytes than one upload may have."},
    421: {"description": "Called by a name that the server does not know."},
}


@dataclass(frozen=True)
class Verdict:
    """What a person says of a photo."""

    verdict: Literal["good", "defective", "withdrawn"]


@dataclass(frozen=True)
class Chosen:
    """A threshold that a person chose, and why."""

    value: Annotated[float, Strict()]  # no text and no truth value is taken for a number
    reason: str


@dataclass(frozen=True)
class Credential:
    """What lets a browser in."""

    token: str


def application(inspection: Inspection, access: Access) -> FastAPI:
    """The routes on one model."""
    app = FastAPI(
        title="radar inspect",
        version=radar.__version__,
        description="One fitted model, asked about images: good, defective or unreadable, and where.",
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(RadarError, _refused)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    _add_pages(app, access)
    _add_predict(app, inspection)
    _add_gallery(app, inspection)
    _add_decisions(app, inspection)
    return app


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 400)


async def _misunderstood(_: Request, error: Exception) -> Response:
    """What is wrong with a body, without what it holds: not all of that can be JSON."""
    wrong = error.errors() if isinstance(error, RequestValidationError) else ()
    told = "; ".join(
        f"{'.'.join(map(str, each['loc']))}: {'Input should be an object of JSON' if each['type'] == _NO_OBJECT else each['msg']}"
        for each in wrong
    )
    return JSONResponse({"detail": told}, 422)


def _add_pages(app: FastAPI, access: Access) -> None:
    """The files of the page, read once: what is asked for is a key of a table, and no path."""
    folder = files("radar.inspect").joinpath("page")
    assets = {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}

    def asset(name: str) -> Response:
        if name not in assets:
            raise HTTPException(404, f"{name}: there is none")
        return Response(assets[name], media_type=_TYPES[name[name.rindex(".") :]])

    app.get("/page/{name}", include_in_schema=False)(asset)
    for path, name in (("/", "page.html"), ("/docs", "docs.html"), ("/token", "token.html")):
        app.get(path, include_in_schema=False)(lambda name=name: asset(name))

    @app.post("/token", include_in_schema=False)
    def admit(given: Credential, response: Response) -> dict[str, bool]:
        if not access.admits(given.token):
            raise HTTPException(401, "this is not the token")
        if access.token is not None:
            response.set_cookie(COOKIE, access.token, httponly=True, samesite="strict")
        return {"admitted": True}


def _add_predict(app: FastAPI, inspection: Inspection) -> None:
    slots = asyncio.Semaphore(inspection.settings.uploads)

    @app.post(
        "/predict",
        summary="Ask about one or more images",
        response_model=list[Prediction],
        response_description="A line of each image, in their order.",
        responses=_REFUSALS,
        openapi_extra={"requestBody": _BODY},
    )
    async def predict(
        request: Request, name: str = Query("", description="told back as the path of a single image")
    ) -> Response:
        """One image as the body, or several as files of a form; the answer has a line for each, in their order.

        The fields are those of `radar predict`. An image that cannot be read is told in its own line, as unreadable.
        """
        _check_query(request)
        # who sends slowly, or nothing, keeps nobody else out
        async with uploads(request, inspection.settings, name) as found, slots:
            said = await asyncio.wrap_future(inspection.submit(inspection.predictions, found))
        return Response(f"[{', '.join(map(json_line, said))}]\n", media_type="application/json")

    @app.post("/photos", include_in_schema=False)
    async def keep(request: Request, name: str = "") -> dict[str, Any]:
        _check_query(request)
        async with uploads(request, inspection.settings, name) as found, slots:
            if len(found) != 1:
                raise HTTPException(413, "one image at a time is kept")
            kept = await asyncio.wrap_future(inspection.submit(inspection.keep, found[0]))
        return _shown(inspection, kept)


def _check_query(request: Request) -> None:
    """Raise `HTTPException` for a key of a query that nothing reads, as one that is spelt wrong, and for one that comes twice."""
    known = set[str]()
    for key, _ in request.query_params.multi_items():
        told = printable(key[:_KEY_LENGTH])
        if key not in _QUERY:
            raise HTTPException(400, f"'{told}': no such key of a query; known are {', '.join(_QUERY)}")
        if key in known:
            raise HTTPException(400, f"'{told}': stands more than once in the query; send it once")
        known.add(key)


def _add_gallery(app: FastAPI, inspection: Inspection) -> None:
    gallery = inspection.gallery

    @app.get("/photos", include_in_schema=False)
    def photos() -> dict[str, Any]:
        shown = [_shown(inspection, kept) for kept in gallery.all()]
        return {"photos": shown, "scores": gallery.scores(), "reviewed": inspection.reviews.scores()}

    @app.delete("/photos", include_in_schema=False)
    def forget() -> None:
        gallery.clear()

    @app.get("/photos/{key}/{layer}", include_in_schema=False)
    def picture(key: str, layer: str) -> Response:
        content = _kept(key).layers.get(layer)
        if content is None:
            raise HTTPException(404, f"{layer}: there is none of this photo")
        return Response(content, media_type=LAYERS[layer])

    @app.post("/photos/{key}/verdict", include_in_schema=False)
    def review(key: str, given: Verdict) -> dict[str, Any]:
        kept = _kept(key)
        if kept.prediction.score is None and given.verdict != WITHDRAWN:
            raise HTTPException(400, "the photo has no score, so a verdict on it tells nothing")
        inspection.submit(inspection.reviews.add, kept.prediction, given.verdict).result()
        return {**_shown(inspection, kept), "reviewed": inspection.reviews.scores()}

    def _kept(key: str) -> Kept:
        kept = gallery.get(key)
        if kept is None:
            raise HTTPException(404, "the photo is not kept any more; drop it once more")
        return kept


def _add_decisions(app: FastAPI, inspection: Inspection) -> None:
    @app.get("/model", summary="Which model and which threshold decides", response_description="As an object.")
    def model() -> dict[str, Any]:
        """Its method, the versions of its threshold, the scores of the normal images that they come from, and limits of uploads."""
        asked, settings = inspection.model, inspection.settings
        thresholds, image = asked.thresholds, asked.config.dataset.image
        return {
            "run": str(inspection.run),
            "reviewed": str(inspection.reviews.path),
            "method": asked.config.method.name,
            "data_set": asked.config.dataset.name,
            "model": asked.fingerprint[:MODEL_DIGITS],
            "size": preprocessing_of(image).fixed,
            "channels": image.channels,
            "coming": inspection.coming,
            "current": thresholds.current_name,
            "thresholds": [_version(version) for version in thresholds.versions],
            "normal_scores": thresholds.deciding.normal_scores.tolist(),
            "limits": {
                name: getattr(settings, name) for name in ("megabytes", "images", "megapixels", "gallery", "scores")
            },
        }

    @app.post("/thresholds", include_in_schema=False)
    def store(chosen: Chosen) -> dict[str, Any]:
        reason = " ".join(chosen.reason.split())
        if not reason or len(reason) > 200 or any(map(steers, reason)):
            raise HTTPException(400, "say in at most 200 plain characters why; the model's card keeps it")
        if not math.isfinite(chosen.value):
            raise HTTPException(400, "a threshold is a finite number")
        return _version(inspection.submit(inspection.store_threshold, chosen.value, reason).result())


def _version(version: Threshold) -> dict[str, Any]:
    shown = ("name", "value", "source", "origin", "made", "false_alarms")
    return {name: getattr(version, name) for name in shown}


def _shown(inspection: Inspection, kept: Kept) -> dict[str, Any]:
    """A photo as the page has it."""
    verdict = inspection.reviews.verdict(kept.prediction)
    return {"key": kept.key, "verdict": verdict, "layers": sorted(kept.layers), "prediction": asdict(kept.prediction)}
