"""`radar inspect`: a local page that shows what a run's model says of dropped photos, and answers scripts at `POST /predict`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from importlib.util import find_spec
from itertools import chain
from threading import Thread
from typing import TYPE_CHECKING

import torch

from radar import install_command
from radar.cli.exit_codes import DONE
from radar.cli.output import lasting_output
from radar.compose.settings import refuse_unread, verb_settings
from radar.config.verbs import InspectConfig, PredictConfig
from radar.errors import ConfigError
from radar.experiment.devices import configure_torch
from radar.model_folder import load
from radar.runtime.options import Parser
from radar.runtime.paths import named_path
from radar.runtime.photo import Photo
from radar.runtime.terminal import tell

if TYPE_CHECKING:
    from radar.inspect.inspection import Inspection

_NEEDED = ("fastapi", "uvicorn", "python_multipart")
_PREDICT = {each.name for each in fields(PredictConfig)}
_REVIEWED = "reviewed.csv"  # in the run directory


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "radar inspect",
        description="Open a page on a run's model: drop photos, see what is flagged and why, try thresholds, review. It runs on this "
        "machine alone; scripts ask POST /predict.",
        epilog="Exit code: 0 it was ended with Ctrl-C, 3 and above: it did not start, or failed.",
    )
    parser.add_argument("run", type=named_path, help="run directory, or a model's folder")
    parser.add_argument(
        "settings",
        nargs="*",
        help="key=value of conf/inspect, and of conf/predict what a page reads, such as port=9000",
    )
    parser.add_argument(
        "--reviewed", type=named_path, metavar="CSV", help="where verdicts go; without it, RUN/reviewed.csv"
    )
    parser.add_argument(
        "--token-file", type=named_path, metavar="FILE", help="holds the token that whoever asks must send"
    )
    parser.add_argument("--test", action="store_true", help="show the run's own test images")
    parser.add_argument(
        "--log", type=named_path, metavar="FOLDER", help="show the photos of a log of radar predict --out"
    )
    return parser


def inspect(arguments: Sequence[str]) -> int:
    """Run `radar inspect`; returns the exit code."""
    parsed = _parser().parse_intermixed_args(arguments)
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"inspect: {', '.join(missing)} is not installed; get it with {install_command('inspect')}")
    from radar.inspect import server, sources  # noqa: PLC0415 - of the extra `inspect`

    of_predict = [word for word in parsed.settings if word.partition("=")[0] in _PREDICT]
    asking = verb_settings(PredictConfig, "predict", of_predict)
    refuse_unread(of_predict, dict.fromkeys(("decode_ahead", "interval", "patience"), "radar inspect"))
    settings = verb_settings(InspectConfig, "inspect", [word for word in parsed.settings if word not in of_predict])
    token = None if parsed.token_file is None else server.stored_token(parsed.token_file)
    inspection = _inspection(parsed, asking, settings)
    photos: list[Iterable[Photo]] = []
    if parsed.test:
        photos.append(sources.run_photos(parsed.run, inspection.model))
    if parsed.log is not None:
        photos.append(sources.logged_photos(parsed.log, inspection.model, settings.gallery))
    with lasting_output(), server.bound(settings) as listening:
        access = server.access(listening, settings, token)
        print(
            _greeting(server.url(listening, settings), access.token, drawn=token is None), file=sys.stderr, flush=True
        )
        Thread(target=inspection.show_all, args=[chain.from_iterable(photos)], daemon=True).start()
        try:
            server.serve(server.guarded(inspection, access), listening)
        finally:
            inspection.close()
    return DONE


def _inspection(parsed: argparse.Namespace, asking: PredictConfig, settings: InspectConfig) -> Inspection:
    """Raises `RunError` where there is no model, `ConfigError` where it cannot be asked about files that are sent."""
    from radar.inspect.inspection import Inspection  # noqa: PLC0415 - of the extra `inspect`

    model = load(parsed.run, asking.device)
    if model.files.decodes_itself:
        raise ConfigError(
            f"{parsed.run}: its layout reads files of its own kind, and the page takes PNG, JPEG, BMP and TIFF; use radar predict"
        )
    trainer = replace(model.config.trainer, threads=asking.threads or model.config.trainer.threads)
    reviewed = parsed.reviewed or parsed.run / _REVIEWED
    threads = torch.get_num_threads()
    return Inspection(
        parsed.run,
        model,
        reviews=reviewed,
        asking=asking,
        settings=settings,
        prepare=lambda: configure_torch(trainer, threads),
        say=tell,
    )


def _greeting(url: str, token: str | None, *, drawn: bool) -> str:
    if token is None:
        return f"radar: {url} (Ctrl-C ends it)"
    if drawn:
        return f"radar: {url}token#{token} (Ctrl-C ends it); scripts send Authorization: Bearer {token}"
    return f"radar: {url}token (Ctrl-C ends it), for whoever has the token"
