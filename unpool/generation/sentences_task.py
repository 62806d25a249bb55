"""How the sentence coder is trained: beside an LSTM of its size on the same batches, and a reader that judges both."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unpool.generation.sentences import (
    LENGTH,
    Reader,
    RecurrentCoder,
    SentenceCoder,
    counted,
    glosses,
    shifted,
    texts,
)
from unpool.train.task import Loss, Options, Task

_DRAWN = 500  # sentences drawn for the figures


class WriteOptions(Options):
    """Settings of the sentence coder and its peers.

    words: size of the vocabulary. code, embedding: lengths, of both coders. widths, strides: of the towers.
    width: of the LSTM coder's states, so that it has as many weights. beta: of the divergence, at the end of its rise.
    rise: steps over which the divergence comes in. noise: share of words hidden from the coders' input.
    """

    words: int = 2500
    code: int = 48
    embedding: int = 32
    widths: tuple[int, ...] = (64, 80)
    strides: tuple[int, ...] = (2, 2)
    width: int = 128
    beta: float = 0.2
    rise: int = 500
    noise: float = 0.1


class Numbers:
    """The training part as samples: `numbers` (LENGTH,)."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, index: int) -> str:
        return f"gloss {index}"

    def sample(self, index: int, rng: np.random.Generator) -> Mapping[str, Any]:
        return {"numbers": self.rows[index]}


class Write(Task):
    """A `SentenceCoder`, the LSTM coder it is compared with, and the reader of their sentences."""

    Options: ClassVar[type[Options]] = WriteOptions

    def __init__(self, options: WriteOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.text = glosses(options.words, data)
        same: dict[str, Any] = {"embedding": options.embedding, "code": options.code}
        self.config = same | {"words": self.text.words, "widths": options.widths, "strides": options.strides}
        self.coder = SentenceCoder(**self.config)
        self.peer = RecurrentCoder(words=len(self.text.words), width=options.width, **same)
        self.reader = Reader(words=len(self.text.words))
        self.networks = {"coder": self.coder, "peer": self.peer, "reader": self.reader}
        self.optimisers = {name: [name] for name in self.networks}

    def dataset(self) -> Numbers:
        return Numbers(self.text.parts["train"])

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """Of each coder the negative evidence lower bound, of the reader the cross-entropy, all a word."""
        numbers = batch["numbers"]
        hidden = torch.rand(numbers.shape, generator=generator, device=numbers.device) < self.options.noise
        other = torch.randint(1, len(self.text.words), numbers.shape, generator=generator, device=numbers.device)
        seen = torch.where(hidden, other, numbers)
        beta = self.options.beta * min(1.0, step / self.options.rise)
        for name, network in (("coder", self.coder), ("peer", self.peer)):
            mean, log_variance = network.encode(seen)
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            code = mean + (0.5 * log_variance).exp() * noise
            scores = self.coder.decode(code) if name == "coder" else self.peer.decode(code, shifted(seen))
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / LENGTH
            yield Loss(name, _entropy(scores, numbers) + beta * divergence, {f"{name}/divergence": divergence.detach()})
        yield Loss("reader", _entropy(self.reader(shifted(numbers)), numbers))

    def evaluate(self) -> dict[str, float]:
        """Word accuracy of both coders on validation sentences, and what the reader says of drawn ones."""
        held_out = torch.from_numpy(self.text.parts["validation"]).to(self.device)
        ours = self.coder(held_out).argmax(2)
        theirs = self.peer.written(self.peer.encode(held_out)[0])
        known = {tuple(row) for row in self.text.parts["train"].tolist()}
        drawn = self._drawn()
        copied = [tuple(row) in known for row in (drawn * counted(drawn)).tolist()]
        return {
            "word_accuracy": _accuracy(ours, held_out),
            "word_accuracy_lstm": _accuracy(theirs, held_out),
            "perplexity_real": self._perplexity(held_out),
            "perplexity_drawn": self._perplexity(drawn),
            "perplexity_shuffled": self._perplexity(_shuffled(held_out)),
            "copies": float(np.mean(copied)),
            "weights": float(sum(p.numel() for p in self.coder.parameters())),
            "weights_lstm": float(sum(p.numel() for p in self.peer.parameters())),
        }

    def _drawn(self) -> Tensor:
        """The first seeds' sentences, (_DRAWN, LENGTH)."""
        coder = self.export()
        latents = torch.randn(_DRAWN, coder.code, generator=torch.Generator().manual_seed(1)).to(self.device)
        return coder.decode(coder.centre + latents @ coder.factor.T).argmax(2)

    def _perplexity(self, numbers: Tensor) -> float:
        return float(_entropy(self.reader(shifted(numbers)), numbers).exp())

    def words(self, n: int = 10) -> list[str]:
        """The first drawn sentences, in words."""
        return texts(self._drawn()[:n].cpu(), self.text.words)

    def export(self) -> SentenceCoder:
        """The coder, with the distribution of its codes settled."""
        self.coder.settle(torch.from_numpy(self.text.parts["train"]).to(self.device))
        return self.coder

    def record(self) -> dict[str, Any]:
        return {
            "network": "unpool.generation.sentences:SentenceCoder",
            "config": self.config,
            "headline": "definitions of up to 11 words in a code of 48 numbers",
            "notes": "Learned from WordNet 3.0's definitions (Princeton University, WordNet licence). "
            "Figures on validation sentences; perplexity under an LSTM trained beside it.",
        }


def _entropy(scores: Tensor, numbers: Tensor) -> Tensor:
    """Mean cross-entropy of the places that count, ()."""
    places = counted(numbers)
    return F.cross_entropy(scores[places], numbers[places])


def _accuracy(found: Tensor, numbers: Tensor) -> float:
    """Share of the words, ends included, that stand where they should."""
    places = counted(numbers)
    return float((found == numbers)[places].float().mean())


def _shuffled(numbers: Tensor) -> Tensor:
    """The same words of each sentence in another order."""
    order = torch.rand(numbers.shape, generator=torch.Generator().manual_seed(0)).to(numbers.device)
    return numbers.gather(1, torch.where(numbers == 0, 2.0, order).argsort(1))
