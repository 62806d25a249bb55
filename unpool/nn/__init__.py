"""Parts of networks: convolutions and their adjoints, deconvolutions, pooling with switches, blocks, towers.

Imports torch alone, and knows no task. Everything works in one and two dimensions, exports to ONNX, and keeps the
channels-last memory format.
"""

from unpool.nn.blocks import Depthwise, RepConv, Residual, fuse
from unpool.nn.checkerboard import checkerboard_energy
from unpool.nn.conv import Adjoint, adjoint, conv
from unpool.nn.deconv import Deconv, PlainDeconv, ResizeConv, ShuffleConv, Upsample
from unpool.nn.normalisation import GDN
from unpool.nn.pooling import MaxPool, Unpool, max_pool, unpool
from unpool.nn.towers import Decoder, Encoder, stage_sizes

__all__ = [
    "GDN",
    "Adjoint",
    "Decoder",
    "Deconv",
    "Depthwise",
    "Encoder",
    "MaxPool",
    "PlainDeconv",
    "RepConv",
    "Residual",
    "ResizeConv",
    "ShuffleConv",
    "Unpool",
    "Upsample",
    "adjoint",
    "checkerboard_energy",
    "conv",
    "fuse",
    "max_pool",
    "stage_sizes",
    "unpool",
]
