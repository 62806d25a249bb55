"""Small networks with known behaviour, shared by the tests of this wing."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def vgg(inplace: bool = False, bias: bool = True) -> nn.Sequential:
    """Convolutions, plain rectifiers, overlapping and plain pooling, a dense head: 5 classes on 3 x 20 x 18."""
    torch.manual_seed(7)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=bias),
        nn.ReLU(inplace),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=bias),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace),
        nn.Sequential(nn.Conv2d(8, 10, 3, padding=1, groups=2, bias=bias), nn.ReLU(inplace), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(40, 5),
    )


class Residual(nn.Module):
    """A residual network of plain `nn.ReLU` modules, each used once."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.relu0 = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU()
        self.a, self.relu1 = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
        self.b, self.relu2 = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 4)."""
        x = self.relu0(self.stem(x))
        x = self.relu2(x + self.b(self.relu1(self.a(x))))
        return self.head(x.mean((2, 3)))


class Called(nn.Module):
    """Two convolutions with the same rectifier behind each, called in the way under test."""

    def __init__(self, rectify, high: float = float("inf")) -> None:
        super().__init__()
        torch.manual_seed(11)
        self.a, self.b = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)
        self.rectify = rectify
        self.high = high

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, H, W) -> (N, 3)."""
        return self.rectify(self.b(self.rectify(4 * self.a(x)))).mean((2, 3))

    def by_hand(self, x: Tensor, guided: bool) -> Tensor:
        """The map of class 0, worked out with transposed convolutions."""
        first = 4 * self.a(x)
        second = self.b(first.clamp(0, self.high))
        signal = torch.zeros_like(second)
        signal[:, 0] = 1 / second[0, 0].numel()
        signal = signal.relu() * (((second > 0) & (second < self.high)) if guided else 1)
        signal = F.conv_transpose2d(signal, self.b.weight, padding=1)
        signal = signal.relu() * (((first > 0) & (first < self.high)) if guided else 1)
        return F.conv_transpose2d(4 * signal, self.a.weight, padding=1)
