"""What dlib's recogniser teaches: its embedding of every training face, and its own layers to begin from."""

import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from unpool.faces.dlib_network import DlibRecogniser, dlib_chips
from unpool.faces.model import Block, FaceNetwork
from unpool.images.atomic import atomic
from unpool.train.data.find import pack_path
from unpool.train.data.pack import Pack
from unpool.zoo.runtime import inference, prepare

# dlib's box around an aligned face of 128x128 (the template and 8 pixels around): left, top, right, bottom.
_BOX = (18, 37, 107, 125)
# The encoder's blocks take over these pairs of convolutions; pair 12 adds little and is left out.
_PAIRS = (*range(12), 13)
TEACHER = 128  # numbers of its embedding
_BATCH = 64


def chips(faces: list[np.ndarray]) -> Tensor:
    """Aligned faces (128, 128, 3) uint8 as dlib aligns them itself, (N, 3, 150, 150) in [0, 1]."""
    return dlib_chips(faces, faces, _BOX)


def embeddings(pack: Pack, data: Path | None = None) -> np.ndarray:
    """dlib's embedding of every face of `faces(128)`, the mean of it and its mirror image: (N, 128) float32.

    Computed once and kept beside the packs (some minutes); faces that come later are asked about when they come.
    """
    path = pack_path("faces-teacher.npz", data)
    # By name and content: another picture may have taken a name over.
    asked = [f"{name} {zlib.crc32(pack[i].tobytes()):08x}" for i, name in enumerate(pack.names)]
    known: dict[str, np.ndarray] = {}
    if path.is_file():
        with np.load(path) as kept:
            known = dict(zip(kept["names"].tolist(), kept["embeddings"]))
    new = [i for i, name in enumerate(asked) if name not in known]
    if new:
        if sys.stderr.isatty():
            print(f"asking the teacher about {len(new)} faces, once", file=sys.stderr)
        known |= zip((asked[i] for i in new), _ask([pack[i] for i in new]))
        with atomic(path) as beside, open(beside, "wb") as file:
            np.savez(file, names=np.array(list(known)), embeddings=np.stack(list(known.values())))
    return np.stack([known[name] for name in asked])


def _ask(faces: list[np.ndarray]) -> np.ndarray:
    network = prepare(DlibRecogniser())
    answers = []
    for start in range(0, len(faces), _BATCH):
        batch = chips(faces[start : start + _BATCH])
        with inference():
            answers.append((network(batch).float() + network(batch.flip(3)).float()) / 2)
    return torch.cat(answers).numpy()


def centred(seen: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Embeddings (N, 128) about the mean of those of the `training` faces, of unit length."""
    seen = seen - seen[training].mean(0)
    return seen / np.linalg.norm(seen, axis=1, keepdims=True)


@torch.no_grad()
def transplant(network: FaceNetwork, faces: list[np.ndarray]) -> None:
    """Begin from dlib's layers: its first 21 convolutions as they are, of the later ones what counts most.

    A channel inside a block counts by its root mean square on `faces` (aligned, 128x128, uint8) times the norm of the
    weights it passes through. The embedding begins as dlib's 128 numbers followed by a random projection, with zero
    mean over `faces`.
    """
    teacher = DlibRecogniser().eval()
    strength = _strengths(teacher, chips(faces))
    stem, *layers = teacher.layers()
    _fill(network.encoder.stem, stem.weight, stem.bias)
    blocks = [block for stage in network.encoder.stages for block in stage.children() if isinstance(block, Block)]
    for block, pair in zip(blocks, _PAIRS, strict=True):
        first, second = layers[2 * pair], layers[2 * pair + 1]
        counts = strength[2 * pair + 2] * second.weight.pow(2).sum((0, 2, 3)).sqrt()
        kept = counts.topk(block.first.out_channels).indices.sort().values
        _fill(block.first, first.weight[kept], first.bias, kept)
        _fill(block.second, second.weight[:, kept], second.bias)
    embed = network.head.embed
    embed.bias.zero_()
    embed.weight[:TEACHER] = teacher.last.T
    nn.init.normal_(embed.weight[TEACHER:], std=float(teacher.last.std()) / 4)
    shown = torch.from_numpy(np.stack(faces)[:, 8:120, 8:120]).permute(0, 3, 1, 2).float() / 255
    embed.bias.copy_(-embed(network.head.weigh(network.encoder(shown)[-1]).flatten(1)).mean(0))


def _strengths(teacher: DlibRecogniser, given: Tensor) -> list[Tensor]:
    """The root mean square of every channel that goes into each of the teacher's convolutions."""
    strengths: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, x: strengths.append(x[0].square().mean((0, 2, 3)).sqrt()))
        for layer in teacher.layers()
    ]
    teacher(given)
    for hook in hooks:
        hook.remove()
    return strengths


def _fill(to: nn.Conv2d | nn.Conv1d, weight: Tensor, bias: Tensor | None, kept: Tensor | None = None) -> None:
    assert to.bias is not None
    assert bias is not None
    to.weight.copy_(weight)
    to.bias.copy_(bias if kept is None else bias[kept])
