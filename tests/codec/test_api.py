"""`compress` and `decompress`: what comes back, regions, seams, threads, rate control, what is refused."""

import gc
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from skimage.data import coffee

from unpool.codec import api, container
from unpool.codec.adapter import CompressAIAdapter
from unpool.codec.figures import seams
from unpool.codec.fuzzing import fuzz
from unpool.codec.tiling import analyse, synthesise
from unpool.errors import BitstreamError, PictureError
from unpool.images import exif
from unpool.images.metrics import psnr_rgb
from unpool.images.picture import Picture
from unpool.zoo.weights import shipped

needs_weights = pytest.mark.skipif(api.MODEL not in shipped(), reason="the codec's weights are not here")


def _described() -> bytes:
    found = Image.Exif()
    found[ExifTags.Base.Artist] = "Ada"
    return found.tobytes()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.floats(1, 100), st.booleans(), st.booleans())
def test_any_size_decodes_to_what_the_encoder_saw(codec, height, width, quality, grey, alpha):
    rng = np.random.default_rng(height * width)
    samples = rng.integers(0, 256, (height, width, 1 if grey else 3)).astype(np.uint8)
    picture = Picture(samples, alpha=samples[:, :, 0] if alpha else None, exif=_described())
    data = codec.compress(picture, quality, tile=64)
    back = codec.decompress(data)
    assert back.samples.shape == samples.shape
    assert back.exif == picture.exif
    assert alpha == (back.alpha is not None)
    assert not alpha or (back.alpha == picture.alpha).all()


def test_streams_hold_the_latents_of_the_encoder(codec, photo):
    size = photo.shape[:2]
    picture = Picture(photo)
    y = analyse(codec.module, lambda box: picture.tensor(box), size, (0, 0, *size))
    for tenths in (10, 505, 1000):
        stream, latents = codec.coder.encode(y * codec.module.gains(tenths)[0], tenths)
        assert torch.equal(codec.coder.decode(stream, tuple(y.shape[1:]), tenths), latents)


def test_a_region_is_a_cut_of_the_whole(codec, photo):
    data = codec.compress(Picture(np.tile(photo, (2, 2, 1))), 50, tile=64)
    whole = codec.decompress(data).samples
    for top, left, height, width in ((0, 0, 1, 1), (60, 70, 30, 70), (150, 3, 10, 221)):
        part = codec.decompress(data, region=(top, left, height, width)).samples
        assert (part == whole[top : top + height, left : left + width]).all()
    with pytest.raises(PictureError, match="leaves"):
        codec.decompress(data, region=(0, 0, 161, 5))


def test_a_region_reads_only_its_tiles_and_their_neighbours(codec, photo):
    data = bytearray(codec.compress(Picture(np.tile(photo, (3, 3, 1))), 50, tile=64))
    parsed = container.parse(bytes(data))
    start = parsed.offsets[parsed.header.tiles - 1]
    data[start : start + 4] = b"\0\0\0\0"
    assert codec.decompress(bytes(data), region=(0, 0, 64, 64)).height == 64
    with pytest.raises(BitstreamError, match="checksum"):
        codec.decompress(bytes(data))


def test_transforms_of_tiles_are_those_of_the_whole_picture(codec, photo):
    """Nothing of a tile's border can show: the same latents give the same pixels, however they are cut."""
    picture = Picture(photo)
    size = photo.shape[:2]
    whole = analyse(codec.module, lambda box: picture.tensor(box), size, (0, 0, *size))
    part = analyse(codec.module, lambda box: picture.tensor(box), size, (64, 64, 16, 48))
    assert torch.allclose(whole[:, 4:, 4:], part, atol=1e-5)
    latents = torch.randint(-200, 200, whole.shape).to(torch.int16)

    def cut(box):
        return latents[:, box[0] : box[0] + box[2], box[1] : box[1] + box[3]]

    whole_picture = synthesise(codec.module, cut, size, (0, 0, *size), 500)
    for box in ((0, 0, 64, 64), (0, 64, 64, 48), (64, 64, 16, 48)):
        tile = synthesise(codec.module, cut, size, box, 500)
        expected = whole_picture[:, box[0] : box[0] + box[2], box[1] : box[1] + box[3]]
        assert torch.allclose(tile, expected, atol=1e-5)


@needs_weights
def test_a_wished_psnr_is_met():
    picture = Picture(np.ascontiguousarray(coffee()[100:228, 200:392]))
    for wished in (30, 35):
        decoded = api.decompress(api.compress(picture, psnr=wished))
        assert float(psnr_rgb(decoded.rgb(), picture.rgb())) == pytest.approx(wished, abs=0.1)


@needs_weights
def test_steps_across_tiles_are_as_elsewhere():
    assert seams(api.load_codec(), Picture(np.ascontiguousarray(coffee()[:384, :512]))) <= 1.02


def test_threads_layout_and_precision_change_no_latent(codec, photo):
    data = codec.compress(Picture(photo), 70)
    parsed = container.parse(data)
    before, found, pixels = torch.get_num_threads(), [], []
    try:
        for threads, layout in itertools.product((1, 2), (torch.channels_last, torch.contiguous_format)):
            torch.set_num_threads(threads)
            codec.module.to(memory_format=layout)
            found.append(codec.coder.decode(parsed.tile(0), (5, 7), 700))
            if layout is torch.channels_last:
                pixels.append(codec.decompress(data).samples)
    finally:
        torch.set_num_threads(before)
        codec.module.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found.append(codec.coder.decode(parsed.tile(0), (5, 7), 700))
    assert all(torch.equal(one, found[0]) for one in found)
    assert (pixels[0] == pixels[1]).all()


def test_wishes_are_met(codec, photo):
    picture = Picture(np.tile(photo, (2, 2, 1)))
    pixels = picture.height * picture.width
    low, high = (len(codec.compress(picture, quality)) for quality in (1, 100))
    limit = round((low * high) ** 0.5)
    size = len(codec.compress(picture, size=limit))
    assert 0.97 * limit <= size <= limit
    assert 8 * len(codec.compress(picture, bpp=8 * limit / pixels)) / pixels == pytest.approx(
        8 * limit / pixels, rel=0.02
    )
    with pytest.raises(PictureError, match="does not fit"):
        codec.compress(picture, size=low - 1)
    with pytest.raises(PictureError, match="one of"):
        codec.compress(picture, size=10, bpp=1)


def test_more_effort_costs_no_more(codec, photo):
    picture = Picture(photo[:64, :64])
    sizes = [len(codec.compress(picture, 40, effort=effort)) for effort in (1, 2, 3)]
    assert sizes[1] <= sizes[0]
    assert codec.decompress(codec.compress(picture, 40, effort=3)).height == 64


def test_refusals(codec, photo):
    with pytest.raises(PictureError, match="--lossless"):
        codec.compress(Picture(photo.astype(np.uint16)))
    with pytest.raises(PictureError, match="quality is 0"):
        codec.compress(Picture(photo), 0)
    with pytest.raises(PictureError, match="tile is 100"):
        codec.compress(Picture(photo), tile=100)
    with pytest.raises(BitstreamError, match="decoder"):
        api.decompress(codec.compress(Picture(photo[:16, :16])))
    with pytest.raises(BitstreamError, match="limit of 100"):
        codec.decompress(codec.compress(Picture(photo[:16, :16])), max_pixels=100)


def test_compressai_interface(codec, photo):
    adapter = CompressAIAdapter(codec, 50)
    x = Picture(photo[:64, :64]).tensor()
    output = adapter(x)
    bits = -sum(torch.log2(one).sum() for one in output["likelihoods"].values())
    packed = adapter.compress(x)
    assert output["x_hat"].shape == x.shape
    assert float(bits) == pytest.approx(8 * len(packed["strings"][0][0]), rel=0.3, abs=600)
    assert adapter.decompress(**packed)["x_hat"].shape == x.shape


def test_hostile_files_give_clear_errors(weights):
    """2,000 mutations in a child process under limits."""
    assert fuzz(weights, 2000)["failures"] == 0


def test_hostile_weights_are_refused_or_decode(weights):
    """Right hashes around wrong numbers, sizes and tables."""
    found = fuzz(weights, 100, target="weights")
    assert found["failures"] == 0
    assert found["decoded"] < 80


def test_what_a_file_says_of_its_orientation_is_not_believed(photo):
    found = Image.Exif()
    found[ExifTags.Base.Orientation], found[ExifTags.Base.Artist] = 6, "Ada"
    for said, kept in ((found.tobytes(), {ExifTags.Base.Artist: "Ada"}), (b"Exif\0\0nonsense", None)):
        back = api.decompress(api.compress(Picture(photo, exif=said), lossless=True)).exif
        assert (None if back is None else dict(exif.parsed(back))) == kept


def test_nothing_of_a_picture_is_kept_after_it_is_compressed(codec, photo):
    codec.compress(Picture(photo), 20)
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, api._Encoding)]


@needs_weights
@pytest.mark.parametrize("wish", [{"bpp": 50}, {"bpp": 0.0001}, {"psnr": 95}, {"psnr": 3}])
def test_a_wish_out_of_reach_is_refused(photo, wish):
    with pytest.raises(PictureError, match=r"out of reach for this picture: quality 1(00)? gives"):
        api.compress(Picture(photo), **wish)


@needs_weights
@pytest.mark.parametrize("wish", [{"bpp": 1}, {"bpp": 1e6}])
def test_a_wish_out_of_reach_of_one_pixel_is_refused(wish):
    with pytest.raises(PictureError, match="out of reach"):
        api.compress(Picture(np.zeros((1, 1, 3), np.uint8)), **wish)


def test_a_wish_is_finite(codec, photo):
    for wish in ({"bpp": np.inf}, {"psnr": np.nan}):
        with pytest.raises(PictureError, match="finite and above 0"):
            codec.compress(Picture(photo), **wish)
