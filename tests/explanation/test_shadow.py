"""A network is left exactly as found, and one whose code is closed is refused."""

import copy
import threading

import pytest
import torch
import torch.nn.utils.prune
from torch import nn

import unpool
from tests.explanation.networks import Called, Residual, vgg
from unpool.errors import ModelError, UnpoolError
from unpool.explanation.api import METHODS


class Counting(nn.Module):
    """Writes to a buffer, keeps a module in a list, holds a bound method, and drops out: all of it in training mode
    alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.register_buffer("seen", torch.zeros(1))
        self.__dict__["hidden"] = [nn.Dropout(0.9)]
        self.step = self._step

    def _step(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.training
        self.seen += 1
        return self.norm(self.conv(x)).relu_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, 4)."""
        return self.hidden[0](self.step(x)).mean((2, 3))


def state(net: nn.Module) -> list:
    """Everything about a network that an explanation could disturb."""
    return [
        [
            (n, p.data_ptr(), p._version, p.requires_grad, None if p.grad is None else p.grad.clone())
            for n, p in net.named_parameters()
        ],
        [(n, b.data_ptr(), b._version, b.clone()) for n, b in net.named_buffers()],
        [
            (n, m.training, len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks))
            for n, m in net.named_modules()
        ],
        [sorted(m.__dict__) for m in net.modules()],
    ]


def same(a: list, b: list) -> bool:
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def unsettled() -> nn.Module:
    """In training mode, with gradients, a frozen parameter, one part in evaluation mode, and a user's hook."""
    net = vgg(inplace=True).train()
    net[4].eval()
    net[0].bias.requires_grad_(False)
    net(torch.rand(2, 3, 20, 18)).sum().backward()
    net[3].register_forward_hook(lambda *_: None)
    return net


@pytest.mark.parametrize("method", METHODS)
def test_left_as_found(method: str) -> None:
    net = unsettled()
    before = state(net)
    small = {"smoothgrad": {"samples": 2}, "integrated-gradients": {"steps": 2}}.get(method, {})
    unpool.explain(net, torch.rand(2, 3, 20, 18), method=method, **small)
    assert same(before, state(net))


def test_buffers_lists_and_bound_methods() -> None:
    net = Counting().train()
    before = state(net)
    x = torch.rand(2, 3, 8, 8)
    first = unpool.explain(net, x, target=1, method="gradient").maps
    assert torch.equal(first, unpool.explain(net, x, target=1, method="gradient").maps)
    assert same(before, state(net))
    assert net.hidden[0].training


def test_left_as_found_after_an_exception() -> None:
    net = unsettled()
    before = state(net)

    def fails(output: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("on purpose")

    for wrong in ({"target": fails}, {"target": 99}, {"layer": "3", "target": 99}):
        with pytest.raises((RuntimeError, UnpoolError)):
            unpool.explain(net, torch.rand(1, 3, 20, 18), **wrong)
    with pytest.raises(RuntimeError):
        unpool.explain(net, torch.rand(1, 4, 20, 18))
    assert same(before, state(net))


def test_threads_do_not_meet() -> None:
    net = unsettled()
    before = state(net)
    xs = torch.rand(4, 1, 3, 20, 18)
    alone = {
        (i, m): unpool.explain(net, xs[i], target=i, method=m).maps for i in range(4) for m in ("deconvnet", "gradient")
    }
    wrong: list = []

    def work(i: int, method: str) -> None:
        for _ in range(5):
            found = unpool.explain(net, xs[i], target=i, method=method)
            if not torch.allclose(found.maps, alone[i, method], rtol=1e-5, atol=1e-8) or found.rectifiers != 3:
                wrong.append((i, method))

    threads = [threading.Thread(target=work, args=key) for key in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert same(before, state(net))


def test_a_caller_without_gradients_gets_the_same_map() -> None:
    x = torch.rand(1, 3, 20, 18)
    usual = unpool.explain(Residual(), x).maps
    with torch.no_grad():
        assert torch.equal(usual, unpool.explain(Residual(), x).maps)
    net = Residual()
    with torch.inference_mode():
        assert torch.equal(usual, unpool.explain(net, x.clone()).maps)
    assert not x.requires_grad
    assert x.grad is None


def test_a_user_picture_is_not_written_to() -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """(N, 3, H, W) -> (N, 3)."""
            return x.sub_(0.5).relu_().mean((2, 3))

    x = torch.rand(1, 3, 5, 5)
    before = x.clone()
    unpool.explain(InPlace(), x, target=0)
    assert torch.equal(x, before)


def test_closed_networks_are_refused() -> None:
    net = vgg().eval()
    for closed in (
        torch.jit.script(net),
        torch.jit.trace(net, torch.rand(1, 3, 20, 18)),
        nn.Sequential(torch.jit.script(net)),
    ):
        with pytest.raises(ModelError, match="script"):
            unpool.explain(closed, torch.rand(1, 3, 20, 18))
    compiled = copy.deepcopy(net)
    compiled.compile()
    for closed in (torch.compile(net), nn.Sequential(torch.compile(net)), compiled):
        with pytest.raises(ModelError, match="compile"):
            unpool.explain(closed, torch.rand(1, 3, 20, 18))
    with pytest.raises(ModelError, match="Module"):
        unpool.explain(lambda x: x, torch.rand(1, 3, 20, 18))


def test_parametrised_and_shared_modules() -> None:
    shared = Called(nn.ReLU())
    shared.b = nn.utils.parametrizations.weight_norm(shared.b)
    net = nn.Sequential(shared.a, nn.ReLU(), shared.b, nn.Flatten())
    before = state(net)
    assert unpool.explain(net, torch.rand(1, 2, 5, 5), target=0).rectifiers == 1
    assert same(before, state(net))


def test_memory_does_not_grow() -> None:
    """Over 200 calls the process keeps no tensor and holds no more memory than after the first ones."""
    import gc

    from unpool.zoo.measure import high_water

    net, x = vgg().eval(), torch.rand(4, 3, 20, 18)

    def alive() -> int:
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    for number in range(200):
        unpool.explain(net, x, target=number % 5, method=("deconvnet", "guided", "grad-cam", "gradient")[number % 4])
        if number == 20:
            tensors, memory = alive(), high_water()
    assert alive() <= tensors
    assert high_water() - memory < 20e6


def test_traced_graphs_exported_programs_and_lazy_modules() -> None:
    net, x = Residual().eval(), torch.rand(2, 3, 16, 16)
    expected = unpool.explain(net, x, target=1).maps
    for graph in (torch.fx.symbolic_trace(net), torch.export.export(net, (x,)).module()):
        found = unpool.explain(graph, x, target=1)
        assert found.rectifiers == 3
        torch.testing.assert_close(found.maps, expected)
    with pytest.raises(ModelError, match="run it once first"):
        unpool.explain(nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU()), x)


def test_pruned_and_spectrally_normalised_weights() -> None:
    net = Residual().train()
    net.a = nn.utils.parametrizations.spectral_norm(net.a)
    net.b = nn.utils.spectral_norm(net.b)
    nn.utils.prune.random_unstructured(net.stem, "weight", 0.3)
    before = state(net)
    assert unpool.explain(net, torch.rand(1, 3, 12, 12)).rectifiers == 3
    assert same(before, state(net))
