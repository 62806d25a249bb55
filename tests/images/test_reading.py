"""A picture from wherever it is, in whatever format and mode."""

import io

import imagecodecs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from unpool.errors import PictureError
from unpool.images.picture import Picture
from unpool.images.reading import as_picture, read

COLOURS = np.stack(np.meshgrid(np.linspace(0, 255, 24), np.linspace(0, 255, 16), indexing="xy"), -1)
COLOURS = np.dstack([COLOURS, 255 - COLOURS[:, :, 0]]).astype(np.uint8)  # (16, 24, 3), smooth


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "packbits"}, 0),
        ("TIFF", {"compression": "jpeg"}, 24),
        ("JPEG2000", {}, 0),
        ("BMP", {}, 0),
        ("PPM", {}, 0),
        ("JPEG", {"quality": 98, "subsampling": 0}, 8),
        ("JPEG", {"quality": 98, "subsampling": 0, "progressive": True}, 8),
        ("WEBP", {"quality": 98}, 24),
        ("AVIF", {"quality": 98, "subsampling": "4:4:4"}, 8),
    ],
)
def test_colour_in_every_format(kind, options, error):
    picture = read(encoded(Image.fromarray(COLOURS), kind, **options))
    assert picture.samples.shape == COLOURS.shape
    assert np.abs(picture.samples.astype(int) - COLOURS).max() <= error
    assert picture.alpha is None


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000", "JPEG", "AVIF", "PPM", "BMP"])
def test_grey_stays_grey(kind):
    options = {"AVIF": {"subsampling": "4:0:0", "quality": 98}, "JPEG": {"quality": 98}}.get(kind, {})
    picture = read(encoded(Image.fromarray(COLOURS[:, :, 0]), kind, **options))
    assert picture.grey
    assert np.abs(picture.samples[:, :, 0].astype(int) - COLOURS[:, :, 0]).max() <= 4


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("WEBP", {"lossless": True, "exact": True}),
        ("JPEG2000", {}),
        ("AVIF", {"quality": 99}),
    ],
)
def test_transparency_is_kept_apart(kind, options):
    alpha = COLOURS[:, :, 1]
    picture = read(encoded(Image.fromarray(np.dstack([COLOURS, alpha])), kind, **options))
    assert np.abs(picture.alpha.astype(int) - alpha).max() <= (2 if kind == "AVIF" else 0)
    assert np.abs(picture.samples.astype(int) - COLOURS).max() <= (40 if kind == "AVIF" else 0)


def test_palettes_and_their_transparent_colour():
    image = Image.fromarray(COLOURS).quantize(32)
    exact = np.array(image.convert("RGB"))
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        assert np.array_equal(read(encoded(image, kind)).samples, exact), kind
    clear = image.getpixel((0, 0))
    picture = read(encoded(image, "PNG", transparency=clear))
    assert np.array_equal(picture.alpha == 0, np.array(image) == clear)


def test_one_bit_and_grey_with_alpha():
    black_and_white = Image.fromarray(COLOURS[:, :, 0] > 128)
    for kind in ("PNG", "TIFF", "BMP", "PPM"):
        picture = read(encoded(black_and_white, kind))
        assert set(np.unique(picture.samples)) == {0, 255}, kind
        assert np.array_equal(picture.samples[:, :, 0] > 0, COLOURS[:, :, 0] > 128), kind
    grey_alpha = Image.fromarray(COLOURS[:, :, :2].copy(), "LA")
    for kind in ("PNG", "TIFF"):
        picture = read(encoded(grey_alpha, kind))
        assert picture.grey, kind
        assert np.array_equal(picture.alpha, COLOURS[:, :, 1]), kind


def levels_of_sixteen_bits() -> np.ndarray:
    """All 65,536 levels, in each of three channels, in three orders."""
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    return np.dstack([ramp, ramp[::-1], ramp.T])


def test_sixteen_bit_colour_keeps_its_65536_levels():
    levels = levels_of_sixteen_bits()
    for data in (imagecodecs.png_encode(levels), imagecodecs.jpeg2k_encode(levels, level=0, reversible=True)):
        picture = read(data)
        assert picture.bit_depth == 16
        assert np.array_equal(picture.samples, levels)


def test_sixteen_bit_grey_and_alpha():
    levels = levels_of_sixteen_bits()
    assert np.array_equal(read(imagecodecs.png_encode(levels[:, :, 0].copy())).samples[:, :, 0], levels[:, :, 0])
    four = np.dstack([levels, levels[:, :, 1]])
    picture = read(imagecodecs.png_encode(four))
    assert np.array_equal(picture.alpha, levels[:, :, 1])
    pil = Image.fromarray(levels[:, :, 0].copy())
    assert np.array_equal(read(pil).samples[:, :, 0], levels[:, :, 0])


@pytest.mark.parametrize("bits", [10, 12])
def test_ten_and_twelve_bits_fill_the_range(bits):
    ramp = np.arange(2**bits, dtype=np.uint16).reshape(32, -1)
    avif = read(imagecodecs.avif_encode(ramp, bitspersample=bits, level=100))
    assert avif.bit_depth == 16
    assert (avif.samples.min(), avif.samples.max()) == (0, 65535)
    assert np.abs(avif.samples[:, :, 0].astype(float) - ramp / (2**bits - 1) * 65535).max() <= 3 * 65535 / 2**bits
    jpeg2000 = read(imagecodecs.jpeg2k_encode(ramp, level=0, reversible=True, bitspersample=bits))
    assert np.array_equal(jpeg2000.samples[:, :, 0], np.rint(ramp / (2**bits - 1) * 65535).astype(np.uint16))


def test_from_path_bytes_file_pil_array_tensor_and_picture(tmp_path):
    data = encoded(Image.fromarray(COLOURS), "PNG")
    path = tmp_path / "wrong suffix.jpg"
    path.write_bytes(data)
    planes = torch.from_numpy(COLOURS).permute(2, 0, 1)
    with path.open("rb") as file:
        sources = [path, str(path), data, bytearray(data), io.BytesIO(data), file, Image.open(path), COLOURS]
        sources += [planes, planes[None], planes / 255]
        for source in sources:
            assert np.array_equal(read(source).with_depth(8).samples, COLOURS), type(source)
    picture = read(path)
    assert as_picture(picture) is picture


@settings(max_examples=20, deadline=None)
@given(arrays.arrays(np.float32, (2, 3, 3), elements=st.floats(0, 1, width=32)))
def test_floats_keep_sixteen_bits(values):
    assert np.abs(read(values).samples / 65535 - values).max() <= 0.5001 / 65535
    tensor = torch.from_numpy(values).permute(2, 0, 1)
    assert float((read(tensor).tensor() - tensor).abs().max()) <= 1e-5


def test_an_array_is_copied():
    mine = COLOURS.copy()
    picture = read(mine)
    mine[:] = 0
    assert picture.samples.max() == 255


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8, 5), np.uint8),
        np.zeros((8, 8, 3), np.int64),
        np.zeros((0, 8, 3), np.uint8),
        np.full((8, 8, 3), 255.0),
        np.full((8, 8, 3), np.nan),
        torch.zeros(2, 3, 8, 8),
        torch.zeros(8),
        io.StringIO("text"),
        42,
        None,
        Image.new("I", (2, 2), -5),
    ],
)
def test_what_is_no_picture_is_one_error(source):
    with pytest.raises(PictureError) as error:
        read(source)
    assert "\n" not in str(error.value)


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("Dear all, this is a letter.\n")
    (tmp_path / "page.png").write_text("<!doctype html><svg></svg>")
    (tmp_path / "film.avif").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))
    (tmp_path / "noise.webp").write_bytes(bytes(range(256)))
    for name, words in {
        "missing.jpg": "there is no file",
        "": "is a folder",
        "empty.jpg": "is empty",
        "text.png": "looks like text",
        "page.png": "SVG",
        "film.avif": "HEIC",
        "noise.webp": "is not a picture",
    }.items():
        with pytest.raises(PictureError, match=words):
            read(tmp_path / name)


def test_an_endless_file_is_not_read_to_its_end():
    with pytest.raises(PictureError, match="is not a picture"):
        read("/dev/zero")


def test_a_pil_image_whose_file_breaks_off():
    data = encoded(Image.fromarray(COLOURS), "JPEG")
    with pytest.raises(PictureError, match="PIL image cannot be decoded"):
        read(Image.open(io.BytesIO(data[:-40])))


def test_the_first_frame_of_an_animation():
    frames = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    for kind, options in {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}.items():
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.array_equal(read(data).samples, COLOURS), kind


def test_a_picture_of_one_pixel():
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "JPEG2000", "AVIF"):
        picture = read(encoded(Image.new("RGB", (1, 1), (255, 255, 255)), kind))
        assert isinstance(picture, Picture)
        assert (picture.height, picture.width) == (1, 1), kind
