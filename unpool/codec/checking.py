"""Weights that would make a decoder fail are refused when they are loaded, not when a file is decoded."""

from unpool.codec.entropy import SCALES, gaussian_tables
from unpool.codec.integer import SHIFT_MAX, IntegerLayer, PackedConv
from unpool.codec.model import Codec

_LARGEST = 1e4  # of a float weight; trained ones stay below 100


def check(codec: Codec) -> None:
    """ValueError, with the reason, unless a codec's numbers are what docs/format.md asks of them."""
    for name, tensor in codec.state_dict().items():
        if tensor.is_floating_point() and not bool((tensor.abs() <= _LARGEST).all()):
            raise ValueError(f"{name} is not finite or far too large")
    if codec.table_sizes.tolist() != [len(one) for one in gaussian_tables().frequency]:
        raise ValueError("its tables have other sizes than this version's")
    if not 0 <= int(codec.certain) <= SCALES:
        raise ValueError("more tables are said to be certain than there are")
    codec.tables()
    for name, layer in codec.named_modules():
        if isinstance(layer, PackedConv) and int(layer.shift.max()) > SHIFT_MAX:
            raise ValueError(f"{name} is shifted by more than {SHIFT_MAX} bits")
        if isinstance(layer, IntegerLayer):
            layer.check()
