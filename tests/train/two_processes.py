"""Run by torchrun: each process differentiates its half of a batch; the first saves the shared gradients."""

import sys

import torch
from lightning_fabric import Fabric
from torch import nn

from unpool.train.machines import share_gradients


def network_and_batch():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.ConvTranspose2d(8, 3, 4, stride=2), nn.Flatten())
    return network.to(memory_format=torch.channels_last), torch.rand(6, 3, 9, 9)


def gradients(network, batch):
    """Of a loss with double backward, as adversarial training has it."""
    batch = batch.clone().requires_grad_()
    output = network(batch)
    (slope,) = torch.autograd.grad(output.square().sum(), batch, create_graph=True)
    (output.square().mean() + 1e-3 * slope.square().sum() / len(batch)).backward()


if __name__ == "__main__":
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    network, batch = network_and_batch()
    gradients(network, batch.chunk(2)[fabric.global_rank])
    parameters = list(network.parameters())
    share_gradients(fabric, parameters)
    if fabric.is_global_zero:
        torch.save([p.grad.contiguous() for p in parameters], sys.argv[1])
