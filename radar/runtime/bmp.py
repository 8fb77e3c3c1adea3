"""Whether the rows of a packed BMP are whole: Pillow leaves black what they pass over."""

from __future__ import annotations

from PIL import BmpImagePlugin

from .errors import ImageError

_PACKED = "bmp_rle"  # Pillow's name of the decoder
_ROW_ENDS, _PICTURE_ENDS, _MOVES = (
    0,
    1,
    2,
)  # what follows a count of none, or else a number of pixels that are as they are


def check_bmp(image: BmpImagePlugin.BmpImageFile, content: bytes) -> None:
    """Raises `ImageError` where a packed row has too few or too many pixels, or some are passed over."""
    tile = image.tile[0]
    if tile.codec_name != _PACKED:
        return
    is_halved = bool(tile.args[1]) if isinstance(tile.args, tuple) else False  # two pixels a byte
    place, row, column = tile.offset, 0, 0
    while (row, column) != (image.height - 1, image.width):
        pair = content[place : place + 2]
        place += 2
        if len(pair) < 2 or (not pair[0] and pair[1] in (_PICTURE_ENDS, _MOVES)):
            raise _not_whole()
        count, value = pair
        if count:
            column = min(column + count, image.width)  # some encoders fill the last pair
        elif value == _ROW_ENDS:
            if column != image.width:
                raise _not_whole()
            row, column = row + 1, 0
        else:
            if tile.offset % 2:
                raise ImageError(
                    "its packed rows begin at an odd place, where decoders differ; save it without packing"
                )
            column += value
            place += (value + 1) // 2 if is_halved else value
            place += place % 2
            if column > image.width:
                raise _not_whole()


def _not_whole() -> ImageError:
    return ImageError("not a readable image (a packed row is not as long as the others); replace or remove the file")
