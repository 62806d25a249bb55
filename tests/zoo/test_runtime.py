import pytest
import torch
from torch import nn

from unpool.errors import ModelError
from unpool.zoo import runtime


def test_devices():
    assert runtime.choose_device("cpu") == torch.device("cpu")
    for wrong in ("tpu", "meta", "cuda:99"):
        with pytest.raises(ModelError):
            runtime.choose_device(wrong)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_one_fails_loudly():
    assert runtime.choose_device("auto") == torch.device("cpu")
    with pytest.raises(ModelError, match="0 GPUs"):
        runtime.choose_device("cuda")


def test_prepared_modules_are_channels_last():
    module = runtime.prepare(nn.Conv2d(3, 8, 3).train())
    assert not module.training
    assert module.weight.is_contiguous(memory_format=torch.channels_last)
    assert module.weight.dtype == torch.float32


@pytest.mark.parametrize("fast", [False, True])
def test_inference_takes_bfloat16_where_the_processor_has_it(monkeypatch, fast):
    monkeypatch.setattr(runtime, "bf16_hardware", lambda: fast)
    module = nn.Conv2d(3, 8, 3)
    with runtime.inference():
        assert module(torch.zeros(1, 3, 4, 4)).dtype == (torch.bfloat16 if fast else torch.float32)
    with runtime.inference(exact=True):
        made = module(torch.zeros(1, 3, 4, 4))
    assert made.dtype == torch.float32
    assert made.is_inference()
