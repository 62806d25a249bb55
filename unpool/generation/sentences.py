"""Short definitions in one code: a convolutional-deconvolutional text autoencoder, the text, and the peers it meets."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.errors import DataError, UnpoolError
from unpool.generation.seeds import drawn
from unpool.nn.towers import Decoder, Encoder, stage_sizes
from unpool.train.data.find import find
from unpool.zoo.record import Record
from unpool.zoo.runtime import inference

LENGTH = 12  # words of a sentence with its end
END = 0  # the word behind a sentence, and all places after it
_WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*|[,;]|\d+")


class Sentences:
    """A text: `words`, most frequent first (number 0 is the end), and sentences as numbers (N, LENGTH) by part."""

    def __init__(self, words: Sequence[str], parts: dict[str, np.ndarray]) -> None:
        self.words, self.parts = tuple(words), parts


@lru_cache(maxsize=1)
def glosses(count: int, data: str | Path | None = None) -> Sentences:
    """WordNet's definitions of 3 to 11 words that need only its `count` most frequent words, each once.

    About 4 in 100 are the `validation` part and 4 the `test` part, by hash of their text.

    Raises:
        DataError: WordNet is not here.
    """
    folder = find("wordnet", data)
    found = set()
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="latin-1").splitlines():
            head, bar, gloss = line.partition(" | ")
            if bar and not head.startswith("  "):
                found.add(tuple(_WORD.findall(re.split(r'; *["`]', gloss.lower())[0])))
    short = sorted(one for one in found if 3 <= len(one) < LENGTH)
    frequent = sorted(Counter(word for one in short for word in one).items(), key=lambda pair: (-pair[1], pair[0]))
    number = {word: i + 1 for i, (word, _) in enumerate(frequent[:count])}
    parts: dict[str, list[list[int]]] = {"train": [], "validation": [], "test": []}
    for one in short:
        if all(word in number for word in one):
            share = int(hashlib.sha256(" ".join(one).encode()).hexdigest()[:8], 16) / 2**32
            part = "test" if share < 0.04 else "validation" if share < 0.08 else "train"
            parts[part].append([number[word] for word in one] + [END] * (LENGTH - len(one)))
    if not parts["test"]:
        raise DataError(f"{folder} holds too few definitions: its files data.noun and so on are to be WordNet's own")
    return Sentences(("", *number), {part: np.array(rows, np.int64) for part, rows in parts.items()})


class SentenceCoder(nn.Module):
    """Sentences as one code: numbers of words (N, length) -> scores (N, length, words).

    An embedding, an `Encoder` tower over the places, a linear layer to the code; a linear layer, a `Decoder` tower, and
    the scores of all words at all places at once, by the same embedding (after Semeniuta et al. 2017).

    words: the vocabulary; its first is the end.
    """

    centre: Tensor
    factor: Tensor

    def __init__(
        self,
        *,
        words: Sequence[str],
        length: int = LENGTH,
        embedding: int = 32,
        code: int = 48,
        widths: Sequence[int] = (64, 80),
        strides: Sequence[int] = (2, 2),
    ) -> None:
        super().__init__()
        self.words, self.length, self.code = tuple(words), length, code
        self.root = (widths[-1], *stage_sizes((length,), strides)[-1])
        features = self.root[0] * self.root[1]
        self.embedding = nn.Embedding(len(words), embedding)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)
        self.encoder = Encoder(in_channels=embedding, widths=widths, strides=strides, dimensions=1)
        self.narrow = nn.Linear(features, 2 * code)
        self.widen = nn.Linear(code, features)
        self.decoder = Decoder(out_channels=embedding, widths=widths, strides=strides, dimensions=1)
        self.frequency = nn.Parameter(torch.zeros(len(words)))
        self.register_buffer("centre", torch.zeros(code))
        self.register_buffer("factor", torch.eye(code))

    def encode(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of words (N, length) -> mean and log variance of the code, (N, code) each."""
        features = self.encoder(self.embedding(numbers).transpose(1, 2)).relu().flatten(1)
        mean, log_variance = self.narrow(features).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 10)

    def decode(self, code: Tensor) -> Tensor:
        """Codes (N, code) -> scores (N, length, words)."""
        made = self.decoder(self.widen(code).view(-1, *self.root), (self.length,)).transpose(1, 2)
        return F.linear(made, self.embedding.weight, self.frequency)

    def forward(self, numbers: Tensor) -> Tensor:
        """(N, length) int64 -> scores (N, length, words)."""
        return self.decode(self.encode(numbers)[0])

    @torch.no_grad()
    def settle(self, numbers: Tensor) -> None:
        """Remember mean and covariance of the codes of a text (M, length), for sentences to be drawn from."""
        mean, log_variance = (torch.cat(one) for one in zip(*(self.encode(part) for part in numbers.split(1000))))
        covariance = torch.cov(mean.T) + torch.diag(log_variance.exp().mean(0))
        self.centre.copy_(mean.mean(0))
        self.factor.copy_(torch.linalg.cholesky(covariance))

    def example_inputs(self) -> tuple[Tensor, ...]:
        """A sentence of the right length."""
        return (torch.arange(self.length)[None] % len(self.words),)


class RecurrentCoder(nn.Module):
    """The peer: an LSTM that reads a sentence into a code of the same length, and one that writes it word by word."""

    def __init__(self, *, words: int, embedding: int = 32, code: int = 48, width: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, embedding)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)
        self.reader = nn.LSTM(embedding, width, batch_first=True)
        self.narrow = nn.Linear(width, 2 * code)
        self.writer = nn.LSTM(embedding + code, width, batch_first=True)
        self.out = nn.Linear(width, embedding)
        self.frequency = nn.Parameter(torch.zeros(words))

    def encode(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """(N, length) -> mean and log variance of the code, (N, code) each."""
        states, _ = self.reader(self.embedding(numbers))
        mean, log_variance = self.narrow(states[:, -1]).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 10)

    def decode(self, code: Tensor, before: Tensor) -> Tensor:
        """Codes (N, code) and the word before each place (N, length) -> scores (N, length, words)."""
        known = code[:, None].expand(-1, before.shape[1], -1)
        states, _ = self.writer(torch.cat([self.embedding(before), known], dim=2))
        return F.linear(self.out(states), self.embedding.weight, self.frequency)

    def written(self, code: Tensor, length: int = LENGTH) -> Tensor:
        """Codes (N, code) -> the words it writes, each the likeliest after its own last, (N, length)."""
        words, state = torch.full((len(code), 1), END, device=code.device), None
        written = []
        for _ in range(length):
            states, state = self.writer(torch.cat([self.embedding(words), code[:, None]], dim=2), state)
            words = F.linear(self.out(states), self.embedding.weight, self.frequency).argmax(2)
            written.append(words)
        return torch.cat(written, dim=1)


class Reader(nn.Module):
    """An LSTM that tells how likely a text is: the word before each place (N, length) -> scores (N, length, words)."""

    def __init__(self, *, words: int, embedding: int = 32, width: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, embedding)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)
        self.states = nn.LSTM(embedding, width, batch_first=True)
        self.out = nn.Linear(width, embedding)
        self.frequency = nn.Parameter(torch.zeros(words))

    def forward(self, before: Tensor) -> Tensor:
        """(N, length) -> (N, length, words)."""
        states, _ = self.states(self.embedding(before))
        return F.linear(self.out(states), self.embedding.weight, self.frequency)


def shifted(numbers: Tensor) -> Tensor:
    """The word before each place of sentences (N, length); before the first stands the end."""
    return F.pad(numbers[:, :-1], (1, 0), value=END)


def counted(numbers: Tensor) -> Tensor:
    """Places of sentences (N, length) that count: up to the first end, which is included."""
    return F.pad((numbers == END).cumsum(1)[:, :-1], (1, 0)) == 0


class Writer:
    """What `unpool.load` gives for a sentence coder: seeds to sentences, sentences to codes and back."""

    def __init__(self, module: SentenceCoder, record: Record, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device
        self._number = {word: i for i, word in enumerate(module.words)}

    def write(self, n: int = 1, *, seed: int = 0, truncation: float = 1.0) -> list[str]:
        """Sentences of the seeds `seed` to `seed + n - 1`; `truncation`, 0 to 1, scales the latents."""
        if not 0 <= truncation <= 1:
            raise UnpoolError(f"truncation lies between 0 and 1, not at {truncation:g}")
        latents = drawn(self.module.code, n, seed)
        with inference(self.device, exact=True):
            codes = self.module.centre + truncation * latents.to(self.device) @ self.module.factor.T
            return self._texts(self.module.decode(codes))

    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Codes (N, code) of sentences of known words, at most 11 each."""
        rows = []
        for sentence in sentences:
            words = _WORD.findall(sentence.lower())
            unknown = [word for word in words if word not in self._number]
            if unknown or not 0 < len(words) < self.module.length:
                cause = f"unknown: {unknown[0]}" if unknown else f"{len(words)} words"
                raise UnpoolError(f"{sentence!r}: 1 to {self.module.length - 1} known words are wanted ({cause})")
            rows.append([self._number[word] for word in words] + [END] * (self.module.length - len(words)))
        with inference(self.device, exact=True):
            return self.module.encode(torch.tensor(rows).to(self.device))[0].cpu()

    def decode(self, codes: Tensor) -> list[str]:
        """Sentences of codes (N, code)."""
        with inference(self.device, exact=True):
            return self._texts(self.module.decode(codes.to(self.device)))

    def _texts(self, scores: Tensor) -> list[str]:
        return texts(scores.argmax(2).cpu(), self.module.words)


def texts(numbers: Tensor, words: Sequence[str]) -> list[str]:
    """Sentences (N, length) in words, each up to its first end."""
    rows = [[words[i] for i, kept in zip(row, keep) if kept and i != END] for row, keep in _rows(numbers)]
    return [" ".join(row).replace(" ,", ",").replace(" ;", ";") for row in rows]


def _rows(numbers: Tensor) -> list[tuple[list[int], list[bool]]]:
    return list(zip(numbers.tolist(), counted(numbers).tolist()))
