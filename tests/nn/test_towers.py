import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.nn.deconv import KINDS
from unpool.nn.towers import BLOCKS, Decoder, Encoder, stage_sizes


@settings(max_examples=25, deadline=None)
@given(
    size=st.one_of(st.tuples(st.integers(1, 33)), st.tuples(st.integers(1, 33), st.integers(1, 33))),
    strides=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    kind=st.sampled_from(KINDS),
    block=st.sampled_from(BLOCKS),
    gdn=st.booleans(),
)
def test_the_decoder_mirrors_the_encoder(size, strides, kind, block, gdn):
    tables = {"widths": [4, 6, 5][: len(strides)], "strides": strides, "block": block, "gdn": gdn}
    encoder = Encoder(in_channels=3, dimensions=len(size), **tables)
    decoder = Decoder(out_channels=2, dimensions=len(size), upsample=kind, **tables)
    code = encoder(torch.randn(2, 3, *size))
    assert tuple(code.shape[2:]) == stage_sizes(size, strides)[-1]
    assert decoder(code, size).shape == (2, 2, *size)
    assert [tuple(f.shape[2:]) for f in encoder.features(torch.randn(1, 3, *size))] == stage_sizes(size, strides)[1:]


def test_whole_multiples_need_no_size():
    decoder = Decoder(out_channels=1, widths=(4, 4), strides=(2, 3))
    assert decoder(torch.randn(1, 4, 5, 2)).shape == (1, 1, 30, 12)


def test_variance_is_kept_through_depth():
    torch.manual_seed(0)
    tables = {"widths": (32,) * 5, "strides": (1, 1, 2, 2, 2), "blocks": 2, "activation": "leaky"}
    code = Encoder(in_channels=3, **tables)(torch.randn(4, 3, 64, 64))
    picture = Decoder(out_channels=3, **tables)(code / code.std())
    assert 0.3 < float(code.std()) < 3
    assert 0.1 < float(picture.std()) < 3


def test_every_weight_learns_after_a_step():
    torch.manual_seed(0)
    encoder, decoder = (
        Encoder(in_channels=1, widths=(4, 8), strides=(2, 2)),
        Decoder(out_channels=1, widths=(4, 8), strides=(2, 2)),
    )
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        decoder(encoder(torch.randn(8, 1, 9, 9)), (9, 9)).sub(1).square().mean().backward()
        optimiser.step()
    assert all(p.grad.abs().sum() > 0 for p in parameters)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dimensions", [1, 2])
def test_channels_last_and_onnx(kind, dimensions, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    tables = {"widths": (4, 8), "strides": (2, 2), "block": "rep" if kind == "deconv" else "residual"}
    network = torch.nn.Sequential(
        Encoder(in_channels=3, dimensions=dimensions, gdn=kind == "deconv", **tables),
        Decoder(out_channels=3, dimensions=dimensions, upsample=kind, gdn=kind == "deconv", **tables),
    ).eval()
    x = torch.randn(1, 3, *[16] * dimensions)
    expected = network(x).detach()
    path = str(tmp_path / "network.onnx")
    torch.onnx.export(network, (x,), path, dynamo=False, opset_version=18, input_names=["x"])
    (got,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-4)
    if dimensions == 2:
        last = network.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(last, expected, atol=1e-5, rtol=1e-4)


def test_bad_tables():
    with pytest.raises(ValueError, match="one number a stage"):
        Encoder(in_channels=1, widths=(4, 4), strides=(2,))
    with pytest.raises(ValueError, match="has a code of"):
        Decoder(out_channels=1, widths=(4,), strides=(2,))(torch.zeros(1, 4, 3, 3), (9, 9))
    with pytest.raises(ValueError, match="block must be"):
        Encoder(in_channels=1, widths=(4,), strides=(2,), block="dense")
    with pytest.raises(ValueError, match="activation must be"):
        Encoder(in_channels=1, widths=(4,), strides=(2,), activation="tanh")
    with pytest.raises(ValueError, match="one a stage"):
        Encoder(in_channels=1, widths=(4,), strides=(2,), blocks=(1, 2))
