"""The experiment on ways of going up: its figures tell a network that makes checkerboards from one that cannot."""

import pytest
import torch

from unpool.restoration import upsampling
from unpool.restoration.model import Restorer


@pytest.fixture
def networks():
    torch.manual_seed(0)
    made = {}
    for name, (kind, kernel) in upsampling.WAYS.items():
        network = Restorer(scale=2, channels=4, blocks=1, upsampler=kind, kernel=kernel)
        with torch.no_grad():
            for parameter in network.up.parameters():
                parameter.normal_(std=0.05)
        made[name] = network.eval()
    return made


def test_only_ways_that_can_make_checkerboards_do(networks):
    pictures = {"a": torch.rand(1, 3, 41, 50, generator=torch.Generator().manual_seed(0))}
    table = upsampling.compared(networks, pictures)
    assert set(table) == {"bicubic", *upsampling.WAYS}
    assert table["our deconvolution"]["checkerboard_db"] < 3
    assert table["resize-convolution"]["checkerboard_db"] < 3
    assert table["plain deconvolution"]["checkerboard_db"] > 30
    assert table["pixel shuffle"]["checkerboard_db"] > 30
    for name in upsampling.WAYS:
        assert table[name]["seconds_per_output_mp"] > 0
        assert table[name]["psnr_y"] < table["bicubic"]["psnr_y"]


def test_plain_deconvolution_has_the_kernel_that_is_asked_for(networks):
    assert networks["plain deconvolution"].up.operation.weight.shape[-1] == 3


def test_the_sheet_is_a_row_of_what_each_adds(networks):
    row = upsampling.sheet(networks, torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0)))
    assert row.shape == (1, 3, 24, 32 * len(upsampling.WAYS))
    assert 0 <= float(row.min()) < float(row.max()) <= 1


def test_all_are_trained_alike(folder):
    networks = upsampling.trained_alike(folder, 1, lambda _: None)
    assert set(networks) == set(upsampling.WAYS)
    heads = [network.head.weight for network in networks.values()]
    assert all(float((head - heads[0]).abs().max()) < 0.01 for head in heads)
