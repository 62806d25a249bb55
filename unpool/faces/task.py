"""How the face network is trained: aligned faces, moved a little, most made poor; figures on people held out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from unpool.errors import DataError, RecipeError
from unpool.faces.calibrating import Scores, calibration_figures, fit_by_quality
from unpool.faces.damage import RESTORABLE, poor_in_groups, reduced
from unpool.faces.loss import agreement, margin_loss, picture_loss, quality_loss, relation_loss
from unpool.faces.model import SIZE, FaceNetwork
from unpool.faces.samples import Faces, KeptFeatures, RecogniseOptions, cut_out, no_faces
from unpool.faces.teacher import TEACHER, transplant
from unpool.faces.verification import best_accuracy, draw_pairs, similarities
from unpool.images.metrics import psnr_rgb
from unpool.train.data.faces import halves, present
from unpool.train.task import Loss, Options, Task
from unpool.zoo.weights import take_over

_PROBES = (112, 32, 16)
_HELD_OUT = 350
_PAIRS = 5  # of one person, and of two, that are seen in four ways each: a calibration wants 20 scores
_RESTORED_POOR = 0.95  # share of the faces to be restored that are made poor


class Recognise(Task):
    """Train a `FaceNetwork`."""

    Options: ClassVar[type[Options]] = RecogniseOptions

    def __init__(self, options: RecogniseOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        if options.variants and options.frozen != 3:
            raise RecipeError(
                "variants of a face are kept where exactly 3 stages are frozen; set variants=0 or frozen=3"
            )
        self.faces = Faces(options, data)
        self._held_out = _enough(self.faces, options.sources)
        self.config = {"embedding": options.embedding}
        network = FaceNetwork(embedding=options.embedding)
        if options.begin == "dlib":
            some = self.faces.indices[:: max(1, len(self.faces.indices) // 128)][:128]
            transplant(network, [self.faces.pack[int(i)] for i in some])
        elif options.begin != "random":
            self.went_on_from = take_over(network, options.begin)
        for part in [network.encoder.stem, *network.encoder.stages[: options.frozen]] if options.frozen else []:
            part.requires_grad_(False)
        taught = nn.Linear(options.embedding, TEACHER, bias=False)
        with torch.no_grad():
            taught.weight.copy_(torch.eye(TEACHER, options.embedding))
        people = nn.Embedding(int(self.faces.person.max()) + 1, options.embedding)
        with torch.no_grad():
            people.weight.zero_()
            for number in range(len(people.weight)):
                people.weight[number, :TEACHER] = torch.from_numpy(self.faces.seen[self.faces.person == number].mean(0))
        self.network, self.taught, self.people = network, taught, people
        self.networks = {"faces": network, "taught": taught, "people": people}
        self.optimisers = {"faces": ["faces", "taught", "people"]}
        # The decoder takes the first three maps, so three stages are computed whenever a face is fresh.
        self.kept = KeptFeatures(len(self.faces), options.variants, stages=3)
        self.figures: dict[str, float] = {}

    def dataset(self) -> Faces:
        """The training faces."""
        return self.faces

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """One loss: teacher, relations, identities; in every fifth step also restoration, and pictures without a face.

        The batch's faces are `fresh` (shown in a new way: those not kept yet, and those to be restored) or known.
        """
        options, network, stages = self.options, self.network, self.kept.stages
        count, full = len(batch["picture"]), step % options.every == 0
        wanted, empty = (max(1, round(share * count)) if full else 0 for share in (options.restored, options.empty))
        fresh = ~self.kept.known(batch["place"])
        fresh[:wanted] = True
        clean = cut_out(batch["picture"][fresh], batch["cut"][fresh])
        # Those to be restored are nearly all poor: beside many that need no change, changing nothing is a trap.
        given = torch.cat(
            [
                poor_in_groups(clean[:wanted], _RESTORED_POOR, 4, generator, RESTORABLE),
                poor_in_groups(clean[wanted:], options.poor, 8, generator),
            ]
        )
        if empty:
            given = torch.cat([given, no_faces(batch["scene"][:empty], generator)])
        maps = network.encoder(given.contiguous(memory_format=torch.channels_last), stages) if len(given) else []
        new, nothing = maps[-1].split([len(clean), empty]) if maps else (None, None)
        features = self.kept.exchange(batch["place"], fresh, new)
        features = features if nothing is None else torch.cat([features, nothing])
        embedding, logit = network.head(network.encoder.finish(features, stages))
        with torch.autocast(self.device.type, enabled=False):  # cosines near 1 need more digits than bfloat16 has
            embedding, logit = embedding[:count].float(), logit.float()
            agreed = agreement(self.taught(embedding), batch["teacher"])
            worth = torch.cat([agreed.detach(), agreed.new_zeros(empty)])
            parts = {
                "teacher": 1 - agreed.mean(),
                "relation": relation_loss(embedding, batch["teacher"]),
                "identity": margin_loss(
                    embedding, self.people.weight, batch["person"], options.margin * agreed.detach().clamp(0, 1)
                ),
                "quality": quality_loss(logit, worth),
            }
        sharp = batch["sharp"][fresh].nonzero()[:, 0][:wanted]
        if len(sharp):
            restored = network.decoder(given[sharp], [one[sharp] for one in maps[:3]], embedding[fresh][sharp])
            parts["picture"] = picture_loss(restored, clean[sharp])
        weights = {"teacher": 1.0} | {name: getattr(options, name) for name in parts if name != "teacher"}
        total = sum((weights[name] * value for name, value in parts.items()), torch.zeros((), device=self.device))
        yield Loss("faces", total, {f"loss/{name}": value.detach() for name, value in parts.items()})

    def evaluate(self) -> dict[str, float]:
        """Verification of people held out, at several resolutions, and PSNR of the restored face from 16 pixels.

        `accuracy_N`: share of pairs told right at the best threshold, both faces at N pixels (bicubic). With them goes
        the calibration: what a similarity means, by quality. They choose the weights; the bench asks others.
        """
        pack, network = self.faces.pack, self.network
        held = self._held_out
        clean = torch.stack([torch.from_numpy(pack[int(i)][8:120, 8:120].transpose(2, 0, 1).copy()) for i in held])
        clean = clean.float() / 255
        same, other = draw_pairs(pack.labels[held], np.random.default_rng(0))
        strangers = np.stack(np.triu_indices(len(held), 1), axis=1)
        strangers = strangers[pack.labels[held[strangers[:, 0]]] != pack.labels[held[strangers[:, 1]]]]
        seen: dict[int, tuple[Tensor, np.ndarray]] = {}
        for size in _PROBES:
            given = clean if size == SIZE else reduced(clean, size)
            answers = [network(part.to(self.device)) for part in given.split(64)]
            seen[size] = torch.cat([a[0].cpu() for a in answers]), torch.cat([a[1].cpu() for a in answers]).numpy()
            self.figures[f"accuracy_{size}"] = best_accuracy(seen[size][0], same, other)
        # Both faces of one sharpness, and a poor face against a good one.
        sizes = [*((size, size) for size in _PROBES), (SIZE, min(_PROBES))]
        self.figures |= calibration_figures(
            fit_by_quality(*(_scores([(seen[a], seen[b]) for a, b in sizes], pairs) for pairs in (same, strangers)))
        )
        sharp = clean[torch.from_numpy(self.faces.sharp[held])][:64]
        poor = reduced(sharp, 16)
        restored = network.restore(poor.to(self.device)).cpu().clamp(0, 1)
        self.figures["psnr_16"] = float(psnr_rgb(restored, sharp).mean())
        self.figures["psnr_16_bicubic"] = float(psnr_rgb(poor, sharp).mean())
        self.figures["accuracy"] = float(np.mean([self.figures[f"accuracy_{size}"] for size in _PROBES]))
        return self.figures

    def samples(self) -> dict[str, Tensor]:
        """No pictures: the sets' licences do not let them out."""
        return {}

    def export(self) -> nn.Module:
        """The face network without what only training needs."""
        return self.network

    def record(self) -> dict[str, Any]:
        """What it is, whom it learned from, and what it must not be used for."""
        accuracy = self.figures.get("accuracy_112", float("nan")), self.figures.get("accuracy_16", float("nan"))
        return {
            "task": "faces",
            "network": "unpool.faces.model:FaceNetwork",
            "config": self.config,
            "preprocessing": {"size": (SIZE, SIZE)},
            "trained_on": (*present(self.faces.pack, self.options.sources), "everyday"),
            "data_licence": "research only",
            "headline": f"people held out: {accuracy[0]:.3f} of pairs right at 112 pixels, {accuracy[1]:.3f} at 16",
            "notes": "CelebA and the named collections allow research use only. The teacher, and the layers that "
            "the encoder begins from, are dlib's recogniser (CC0), whose own training pictures may show people of LFW; "
            "CelebA gives numbers instead of names, so its people may be in LFW too. Retrain with "
            "`unpool train faces/recogniser`.",
        }


def _enough(faces: Faces, sources: tuple[str, ...]) -> np.ndarray:
    """Held-out faces that choose the weights: half of those people, or all where that is too few to judge by."""
    labels = faces.pack.labels
    for held in (halves(faces.pack, sources)[0], faces.pack.where(part="held-out", source=sources)):
        held = held[:: max(1, len(held) // _HELD_OUT)]
        if min(map(len, draw_pairs(labels[held], np.random.default_rng(0)))) >= _PAIRS:
            return held
    raise DataError(
        f"the people held out (one in ten, by their name) make fewer than {_PAIRS} pairs of one person or of two: "
        "add people, with two pictures or more"
    )


def _scores(seen: list[tuple[tuple[Tensor, np.ndarray], tuple[Tensor, np.ndarray]]], pairs: np.ndarray) -> Scores:
    """The scores of the same pairs of faces (N, 2) in several views, each of embeddings and qualities."""
    cosine = [similarities(one[0], pairs, other[0]) for one, other in seen]
    quality = [np.sort(np.stack([one[1][pairs[:, 0]], other[1][pairs[:, 1]]]), axis=0) for one, other in seen]
    return Scores(np.concatenate(cosine), *np.concatenate(quality, axis=1))
