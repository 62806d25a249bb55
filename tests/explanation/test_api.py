"""What a user calls: pictures in, maps and pictures out, on a plain module and on the package's classifier."""

import numpy as np
import pytest
import skimage.data
import torch
from torch import nn

import unpool
from tests.explanation.networks import Residual, vgg
from unpool.errors import ModelError
from unpool.explanation.api import METHODS
from unpool.images.picture import Picture

SMALL = {"smoothgrad": {"samples": 2}, "integrated-gradients": {"steps": 2}, "occlusion": {"window": 12}}


@pytest.fixture(scope="module")
def classifier():
    return unpool.load("efficientnet-lite0")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_map_and_a_picture(method: str, tmp_path) -> None:
    net = Residual().eval()
    found = unpool.explain(net, torch.rand(2, 3, 24, 20), method=method, **SMALL.get(method, {}))
    assert found.maps.shape[0] == 2
    assert found.maps.shape[-2:] == (24, 20)
    assert found.maps.isfinite().all()
    assert found.heat(1).shape == (24, 20)
    assert 0 <= float(found.heat().min()) <= float(found.heat().max()) <= 1
    for style in ("auto", "projection", "overlay"):
        assert (found.picture(style).height, found.picture(style).width) == (24, 20)
    found.save(tmp_path / "map.png", number=1)
    assert unpool.read(tmp_path / "map.png").height == 24


def test_pictures_come_in_every_form() -> None:
    net = Residual().eval()
    pixels = skimage.data.chelsea()[:40, :30]
    first = unpool.explain(net, pixels).maps
    assert first.shape == (1, 3, 40, 30)
    for form in (Picture(np.ascontiguousarray(pixels)), torch.from_numpy(pixels / 255.0).permute(2, 0, 1)[None]):
        torch.testing.assert_close(unpool.explain(net, form).maps, first, rtol=1e-4, atol=1e-7)
    both = unpool.explain(net, [pixels, pixels[::-1].copy()]).maps
    torch.testing.assert_close(both[:1], first, rtol=1e-4, atol=1e-7)
    grey = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert unpool.explain(grey, pixels).maps.shape == (1, 1, 40, 30)
    with pytest.raises(ModelError, match="different sizes"):
        unpool.explain(net, [pixels, pixels[:20]])
    with pytest.raises(ModelError, match="give floats"):
        unpool.explain(net, torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


def test_outputs_come_in_every_form() -> None:
    class Wrapped(Residual):
        def forward(self, x):
            """(N, 3, H, W) -> a mapping with logits, as some libraries answer."""
            return {"loss": None, "logits": super().forward(x)}

    x = torch.rand(1, 3, 12, 12)
    plain = unpool.explain(Residual().eval(), x, target=2).maps
    assert torch.equal(unpool.explain(Wrapped(), x, target=2).maps, plain)
    assert torch.equal(unpool.explain(Wrapped(), x, target=lambda y: y["logits"][:, 2]).maps, plain)


def test_half_and_double_precision_follow_the_network() -> None:
    found = unpool.explain(Residual().double(), torch.rand(1, 3, 12, 12))
    assert found.maps.dtype == torch.float64
    assert unpool.explain(Residual().bfloat16(), torch.rand(1, 3, 12, 12)).picture().height == 12


def test_a_target_without_gradient_is_said() -> None:
    class Cut(nn.Module):
        def forward(self, x):
            """(N, 3, H, W) -> (N, 3)."""
            with torch.no_grad():
                return x.mean((2, 3))

    with pytest.raises(ModelError, match="no_grad"):
        unpool.explain(Cut(), torch.rand(1, 3, 4, 4))


def test_efficientnet_lite0(classifier) -> None:
    found = unpool.explain(classifier, skimage.data.coffee())
    assert found.rectifiers == 33
    assert found.left_alone == {}
    assert found.described() in ("espresso", "cup", "coffee mug")
    assert found.top[0][0][0] == found.target.index[0]
    assert (found.seen().height, found.seen().width) == (224, 224)
    gradient = unpool.explain(classifier, skimage.data.coffee(), method="gradient").maps
    assert not torch.allclose(found.maps, gradient)
    cam = unpool.explain(classifier, skimage.data.coffee(), method="grad-cam", target="espresso")
    assert cam.layer == "_conv_head"
    assert float(cam.maps.min()) >= 0


def test_pixels_by_numpy_index() -> None:
    net = vgg().eval()
    found = unpool.explain(net, torch.rand(1, 3, 20, 18), target=np.int64(3))
    assert found.described() == "class 3"
