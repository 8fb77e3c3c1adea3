"""The region of interest that a config names: checked, and its mask read from the file, so that the config alone is complete."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from radar.config.schema import Config, ImageConfig
from radar.data.decoding import read_content
from radar.data.masks import drawn, is_lossy
from radar.errors import ConfigError, DataError
from radar.files import expanded
from radar.runtime.entries import typed
from radar.runtime.region_of_interest import RegionOfInterest, is_mask_text, mask_of, mask_text, region_problem
from radar.runtime.terminal import brief

_MASK = "dataset.image.region_of_interest.mask"


def region_of_interest(config: ImageConfig) -> RegionOfInterest | None:
    """The region of images that are read as `config` says; None: all of them counts. Raises `ValueError` where it is none."""
    if config.region_of_interest is None:
        return None
    region: RegionOfInterest = typed(RegionOfInterest, asdict(config.region_of_interest))
    return region


def region_of_interest_problem(config: ImageConfig) -> str:
    """What is wrong with it, as words that follow the name of its section, or nothing."""
    try:
        region = region_of_interest(config)
    except ValueError as error:
        return f".{error}"
    return "" if region is None else region_problem(region)


def with_mask_read(config: Config) -> Config:
    """The config with what a mask file marks in place of its path. Raises `ConfigError` where the file cannot be read."""
    image = config.dataset.image
    region = image.region_of_interest
    if region is None or region.name != "mask" or region.mask is None or is_mask_text(region.mask):
        return config
    try:
        marked = _marked(_file(region.mask), config.dataset.megapixels)
    except DataError as error:
        raise ConfigError(f"{_MASK}={brief(region.mask)}: {error}") from None
    read = replace(image, region_of_interest=replace(region, mask=marked))
    return replace(config, dataset=replace(config.dataset, image=read))


def _file(named: str) -> Path:
    """The file that a mask's key names. Raises `DataError`."""
    advice = "name an image that marks what counts"
    if not named:
        raise DataError(f"names no file; {advice}")
    try:
        path = Path(expanded(named))
        if path.is_dir():
            raise DataError(f"is a folder; {advice}")
        if not path.exists():
            raise DataError(f"no such file; {advice}")
        if not path.is_file():
            raise DataError(f"is a pipe or a device; {advice}")
    except ConfigError:  # of its home
        raise DataError(f"there is no home folder of that name; {advice}") from None
    except OSError as error:
        raise DataError(f"cannot be looked at ({error.strerror}); {advice}") from None
    return path


def _marked(path: Path, megapixels: float) -> str:
    """What a mask file marks, all but black and what is transparent, as text. Raises `DataError`."""
    try:
        content = read_content(path)
        inside = drawn(content, path, megapixels)
    except DataError as error:
        raise DataError(str(error).removeprefix(f"{path}: ")) from None
    if is_lossy(content):
        raise DataError("is stored with loss, so that black is not black in it; save it as PNG")
    if inside.all():
        raise DataError(
            "marks everything, as no region does; draw black what does not count, or set region_of_interest=null"
        )
    text = mask_text(inside)
    try:
        mask_of(text)
    except ValueError as error:
        raise DataError(str(error)) from None
    return text
