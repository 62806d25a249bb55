"""The bench's figures on one small picture and a codec that nobody trained: they are there and make sense."""

import math

import numpy as np

from unpool.codec import bench, figures
from unpool.images.picture import Picture


def test_figures_of_a_small_picture(codec, photo):
    picture = Picture(np.ascontiguousarray(photo[:64, :64]))
    found = figures.speed(codec, picture) | figures.sizes(codec, [picture])
    assert all(math.isfinite(value) for value in found.values())
    assert min(found["decode_mp_per_s"], found["avif_encode_mp_per_s"], found["kmac_per_pixel_decode"]) > 0
    assert abs(found["file_size_gap_percent"]) < 30
    assert found["lossless_vs_png_percent"] < 20


def test_codecs_are_compared_picture_by_picture():
    line = [(0.25, 28.0, 8.0), (0.5, 30.0, 10.0), (1.0, 33.0, 13.0)]
    half = [(rate / 2, psnr, similarity) for rate, psnr, similarity in line]
    names = ("jpeg", "jpeg_plain", "webp", "avif", "jpeg_xl")
    answer = bench._compared([{"unpool": half, **dict.fromkeys(names, line)}])
    assert answer["bd_rate_vs_webp"] == answer["against_jpeg_plain"]["unpool"]["bd_rate_ms_ssim"]
    assert round(answer["bd_rate_vs_jpeg"], 6) == -50
    assert answer["against_jpeg_plain"]["avif"]["overlap_psnr_rgb"] == 1
