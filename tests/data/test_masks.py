"""How masks are read where nobody said how: one table of files and of what they mark."""

from __future__ import annotations

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, noise, save
from PIL import Image

from radar.data.dataset import open_dataset
from radar.data.masks import read_mask
from radar.errors import DataError

DEFECT = np.zeros((16, 24), dtype=np.bool_)
DEFECT[3:9, 5:14] = True
BACKGROUND = ~DEFECT


def levels(*values: int, background: int = 0, dtype=np.uint8) -> np.ndarray:
    """The defect in stripes of `values`."""
    found = np.full(DEFECT.shape, background, dtype)
    stripes = np.array(values, dtype)[np.arange(DEFECT.shape[1]) % len(values)]
    return np.where(DEFECT, stripes[None], found)


def coloured(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.dstack([levels(*(colour[plane] for colour in colours)) for plane in range(3)])


def palette(*colours: tuple[int, int, int], first: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    image = Image.fromarray(levels(*range(1, len(colours) + 1)), "P")
    image.putpalette([*first, *(channel for colour in colours for channel in colour)])
    return image


def with_alpha(colours: np.ndarray | int, alpha: np.ndarray) -> Image.Image:
    shown = np.broadcast_to(np.asarray(colours, np.uint8), (*DEFECT.shape, 3))
    return Image.fromarray(np.dstack([shown, alpha.astype(np.uint8)]))


def bordered() -> np.ndarray:
    """White with a grey edge, of many levels."""
    found = levels(255).astype(np.uint8)
    found[2, 5:14] = np.linspace(10, 120, 9)
    found[9, 5:14] = np.linspace(15, 125, 9)
    return found


def every(values, dtype=np.uint8) -> np.ndarray:
    """All of `values` but the first, one after the other, within the defect."""
    found = np.zeros(DEFECT.shape, dtype)
    found[DEFECT] = np.resize(np.array(values[1:]), DEFECT.sum())
    return found


def many_greys() -> np.ndarray:
    """White, on all greys up to 20."""
    return np.where(DEFECT, 255, np.arange(DEFECT.size).reshape(DEFECT.shape) % 21).astype(np.uint8)


READ = {  # what is stored, and a word of the rule that is told; none: black and white needs none
    "white": (levels(255), ""),
    "one bit": (Image.fromarray(DEFECT), ""),
    "16 bits": (levels(65535, dtype=np.uint16), ""),
    "one": (levels(1), "class numbers"),
    "classes 1, 2, 3": (levels(1, 2, 3), "class numbers"),
    "sixteen values": (levels(*range(1, 16)), "class numbers"),
    "classes, 16 bits": (levels(1, 5, dtype=np.uint16), "class numbers"),
    "a class and void": (levels(1, 255), "class numbers"),
    "a class and a large one": (levels(1, 40), "class numbers"),
    "a class and void, as colours": (levels(31, 255)[..., None].repeat(3, axis=2), "class numbers"),
    "a class and void, as a palette": (palette((1, 1, 1), (255, 255, 255)), "class numbers"),
    "a class and void, opaque": (
        with_alpha(levels(1, 255)[..., None], np.where(np.arange(24) < 20, 255, 0) * np.ones((16, 1), np.uint8)),
        "class numbers",
    ),
    "16 values, one of them small": (every((0, 5, *range(40, 180, 10))), "class numbers"),
    "17 classes": (every(range(17)), "class numbers"),
    "20 classes": (every(range(20)), "class numbers"),
    "32 classes, 16 bits": (every(range(32), np.uint16), "class numbers"),
    "classes 1 and 300": (levels(1, 300, dtype=np.uint16), "class numbers"),
    "a class and void of 16 bits": (levels(2, 65535, dtype=np.uint16), "class numbers"),
    "32 and 255": (levels(255, background=32), "half of their largest value"),
    "many greys, small ones among them": (many_greys(), "half of their largest value"),
    "shape in alpha, translucent": (with_alpha([255, 0, 0], levels(127)), "not wholly transparent"),
    "shape in alpha, faint": (with_alpha([255, 0, 0], levels(1, 60, 90)), "not wholly transparent"),
    "colours, translucent": (with_alpha(coloured((255, 0, 0), (0, 64, 0)), levels(100)), "not wholly transparent"),
    "255 of 16 bits": (levels(255, dtype=np.uint16), "half of their largest value"),
    "grey 100": (levels(100), "half of their largest value"),
    "255 and 254": (levels(255, 254), "half of their largest value"),
    "grey edges": (bordered(), "half of their largest value"),
    "a palette, as VOC": (palette((128, 0, 0), (0, 64, 0), (64, 0, 128)), "class colours"),
    "a palette of one dark red": (palette((64, 0, 0)), "class colours"),
    "a palette of black and white": (palette((255, 255, 255)), ""),
    "colours": (coloured((255, 0, 0), (0, 64, 0)), "class colours"),
    "shape in alpha, white": (with_alpha(255, levels(255)), "opaque"),
    "shape in alpha, black": (with_alpha(0, levels(255)), "opaque"),
    "red on transparent white": (
        with_alpha(np.where(DEFECT[..., None], [255, 0, 0], 255), levels(255)),
        "opaque",
    ),
    "white on black, opaque": (with_alpha(levels(255)[..., None], np.full(DEFECT.shape, 255, np.uint8)), ""),
    "white on black, behind a margin": (
        with_alpha(levels(255)[..., None], np.where(np.arange(24) < 20, 255, 0) * np.ones((16, 1), np.uint8)),
        "",
    ),
    "grey and alpha": (Image.merge("LA", [Image.new("L", (24, 16), 255), Image.fromarray(levels(255))]), "opaque"),
}


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_a_mask_marks_the_defect_and_says_how_it_was_read(tmp_path, kind, extension):
    stored, said = READ[kind]
    image = stored if isinstance(stored, Image.Image) else Image.fromarray(stored)
    image.save(tmp_path / f"m.{extension}")
    mask = read_mask(tmp_path / f"m.{extension}", DEFECT.shape, inverted=False)
    np.testing.assert_array_equal(mask.marked, DEFECT)
    assert said in mask.rule
    assert bool(said) == bool(mask.rule)


def test_a_palette_whose_transparent_colour_is_the_background(tmp_path):
    palette((255, 255, 255), first=(255, 255, 255)).save(tmp_path / "m.png", transparency=0)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", DEFECT.shape, inverted=False).marked, DEFECT)


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        pytest.param(levels(0), False, id="empty"),
        pytest.param(np.full(DEFECT.shape, 255, np.uint8), True, id="full"),
        pytest.param(np.full(DEFECT.shape, 1, np.uint8), True, id="one class everywhere"),
    ],
)
def test_a_mask_of_one_value_marks_all_or_nothing(tmp_path, values, marked):
    mask = read_mask(save(tmp_path / "m.png", values), DEFECT.shape, inverted=False)
    assert mask.marked.all() == marked == mask.marked.any()


def test_traces_of_compression_are_no_classes(tmp_path):
    traces = np.random.default_rng(0).integers(0, 6, DEFECT.shape, dtype=np.uint8)
    Image.fromarray(traces).save(tmp_path / "empty.jpg", quality=95)
    assert not read_mask(tmp_path / "empty.jpg", DEFECT.shape, inverted=False).marked.any()
    drawn = np.kron(levels(255), np.ones((8, 8), np.uint8))
    Image.fromarray(drawn).save(tmp_path / "drawn.jpg", quality=60)
    found = read_mask(tmp_path / "drawn.jpg", drawn.shape, inverted=False)
    np.testing.assert_array_equal(found.marked, drawn > 0)


@pytest.mark.parametrize("kind", ["png", "bmp", "tif"])
def test_small_numbers_beside_large_ones_are_classes_where_nothing_is_lost(tmp_path, kind):
    Image.fromarray(levels(1, 255)).save(tmp_path / f"m.{kind}")
    mask = read_mask(tmp_path / f"m.{kind}", DEFECT.shape, inverted=False)
    np.testing.assert_array_equal(mask.marked, DEFECT)
    assert "class numbers" in mask.rule


@pytest.mark.parametrize("options", [{"format": "JPEG"}, {"format": "TIFF", "compression": "jpeg"}])
def test_traces_beside_what_is_drawn_are_no_classes(tmp_path, options):
    drawn = np.kron(levels(255, background=3), np.ones((16, 16), np.uint8))  # so that few levels come about
    Image.fromarray(drawn).save(tmp_path / "m", quality=95, **options)
    mask = read_mask(tmp_path / "m", drawn.shape, inverted=False)
    np.testing.assert_array_equal(mask.marked, drawn == 255)


def test_what_is_transparent_everywhere_marks_nothing(tmp_path):
    with_alpha([255, 0, 0], levels(0)).save(tmp_path / "m.png")
    assert not read_mask(tmp_path / "m.png", DEFECT.shape, inverted=False).marked.any()


@pytest.mark.parametrize("turned", [False, True])
def test_a_mask_that_says_how_it_is_turned_is_read_upright(tmp_path, turned):
    exif = Image.Exif()
    exif[274] = 6 if turned else 1
    alpha = with_alpha(255, levels(255))
    for index, image in enumerate((Image.fromarray(levels(255)), alpha)):
        stored = image.transpose(Image.Transpose.ROTATE_90) if turned else image
        stored.save(tmp_path / f"{index}.png", exif=exif)
        mask = read_mask(tmp_path / f"{index}.png", DEFECT.shape, inverted=False)
        np.testing.assert_array_equal(mask.marked, DEFECT)


@pytest.mark.parametrize("compression", [None, "tiff_deflate"])
@pytest.mark.parametrize("stored", [levels(255), levels(1, 2), with_alpha(255, levels(255))])
def test_a_tiff_mask_whose_orientation_stands_in_xmp_is_read_upright(tmp_path, stored, compression):
    image = stored if isinstance(stored, Image.Image) else Image.fromarray(stored)
    tags = {700: b'tiff:Orientation="6"'}
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "m.tif", tiffinfo=tags, compression=compression)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", DEFECT.shape, inverted=False).marked, DEFECT)


def test_dark_masks_mark_what_is_dark(tmp_path):
    path = save(tmp_path / "m.png", np.where(DEFECT, 0, 255).astype(np.uint8))
    np.testing.assert_array_equal(read_mask(path, DEFECT.shape, inverted=True).marked, DEFECT)


@pytest.mark.parametrize("shape", [(16, 25), (24, 16), (8, 12)])
def test_a_mask_of_another_size_is_refused(tmp_path, shape):
    path = save(tmp_path / "m.png", np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=rf"m\.png: the mask is {shape[1]} x {shape[0]} px and its image 24 x 16 px"):
        read_mask(path, DEFECT.shape, inverted=False)


def test_a_data_set_says_how_its_masks_were_read(tmp_path):
    for index in range(12):
        save(tmp_path / f"normal/{index:02d}.png", noise(index, 16, 24))
    for index, values in enumerate((levels(1, 2), levels(3), levels(100), levels(255))):
        save(tmp_path / f"anomalous/{index}.png", noise(100 + index, 16, 24))
        save(tmp_path / f"masks/{index}.png", values)
    dataset = open_dataset(
        dataset_config("folder", tmp_path, settings=folder_settings(masks="masks"), near_duplicates="warn")
    )
    for sample in dataset.samples:
        np.testing.assert_array_equal(dataset.mask(sample), DEFECT if sample.label else np.zeros_like(DEFECT))
    grey, numbers = dataset.read_notes()
    assert numbers.startswith("2 masks hold class numbers: all above 0 is defect, first ")
    assert grey.startswith("1 masks are split at half of their largest value, first ")
