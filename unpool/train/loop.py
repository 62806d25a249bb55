"""The training loop. One for every model of the house; it reads from top to bottom."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from unpool.errors import DataError, RecipeError, UnpoolError
from unpool.train import checkpoint, order
from unpool.train.logs import Bar, Logs, Means
from unpool.train.machines import (
    ProcessLost,
    agreed,
    make_fabric,
    share_gradients,
    stop_on_signals,
    to_device,
    wait_for_all,
)
from unpool.train.recipe import Budget, Recipe, validated
from unpool.train.schedule import Clock, learning_rate
from unpool.train.ship import earlier, hardware, write_weights
from unpool.train.state import State
from unpool.train.watch import Watch

_LOG_EVERY = 50
_CHECKPOINT_SECONDS = 120


class Stopped(UnpoolError):
    """The run was asked to stop; its checkpoint is written."""


def train(
    recipe: Recipe,
    out: Path,
    *,
    data: Path | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: str = "auto",
    resume: bool = False,
) -> dict[str, float]:
    """Train a recipe into the folder `out`: checkpoint, curve, samples, and at the end a weight file with its record.

    Args:
        data: folder to look for data sets in, before the usual places.
        steps, minutes: a budget in place of the recipe's.
        device: "auto", "cpu" or "cuda"; devices and nodes: processes a machine, and machines.
        precision: "auto" (bfloat16 where the device computes in it), "fp32" or "bf16".
        resume: go on from the checkpoint in `out`.

    Returns:
        The final figures of the task.

    Raises:
        UnpoolError: data that is missing or out of range, a loss that is not finite, a run that keeps exploding.
        Stopped: SIGINT or SIGTERM came; the checkpoint is written.
        ProcessLost: another process of the run is gone; the last checkpoint is good.
    """
    fabric = make_fabric(device, devices, nodes, precision, recipe.lost_after)
    fabric.launch()
    return _Run(fabric, recipe, out, data, _budget(recipe, fabric.device, steps, minutes), resume).train()


def _from_worker(error: UnpoolError) -> UnpoolError:
    """The error itself, without the worker's traceback that torch puts before it."""
    said = str(error)
    return type(error)(said.strip().splitlines()[-1].partition(": ")[2]) if "Original Traceback" in said else error


def _budget(recipe: Recipe, device: torch.device, steps: int | None, minutes: float | None) -> Budget:
    planned = recipe.budget.get("gpu" if device.type == "cuda" else "cpu")
    if steps or minutes:
        asked = {"steps": steps, "minutes": minutes, "batch": planned.batch if planned else None}
        return validated(Budget, asked, "the budget asked for")  # type: ignore[no-any-return]
    if planned is None:
        raise RecipeError(f"recipe {recipe.name} has no budget for {device.type}: give --steps or --minutes")
    return planned


class _Run:
    def __init__(
        self, fabric: Fabric, recipe: Recipe, out: Path, data: Path | None, budget: Budget, resume: bool
    ) -> None:
        self.fabric, self.recipe, self.out, self.budget = fabric, recipe, out, budget
        self.batch = budget.batch or recipe.batch
        if self.batch % fabric.world_size:
            raise RecipeError(f"a batch of {self.batch} does not divide into {fabric.world_size} processes")
        if not resume and checkpoint.exists(out / "checkpoint"):
            raise DataError(f"{out} holds a run already: add --resume to go on with it, or choose another folder")
        torch.manual_seed(recipe.seed)
        self.task = recipe.make_task(data)
        self.dataset = self.task.dataset()
        if not len(self.dataset):
            raise DataError(f"recipe {recipe.name}: there is not a single training sample")
        self.state = State(self.task, recipe, fabric.device)
        self.watch = Watch(recipe, self.state, self.dataset.name)
        elapsed = 0.0
        if resume:
            tensors, numbers = checkpoint.load(out / "checkpoint")
            try:
                self.state.load(tensors, numbers)
                self.watch.usual, elapsed = numbers["usual"], numbers["elapsed"]
            except (KeyError, TypeError) as error:
                raise DataError(f"the checkpoint in {out / 'checkpoint'} is damaged (it lacks {error})") from None
        self.clock = Clock(budget, elapsed)
        self.started = self.saved = time.monotonic()
        self.waited = 0.0
        self.first_step = self.saved_step = self.state.step
        self.generator = torch.Generator(device=fabric.device)
        self.means = Means()
        self.logs = Logs(out, self.state.step, fabric.is_global_zero)
        self.bar = Bar(recipe.name, fabric.is_global_zero)
        self.stop = threading.Event()

    def train(self) -> dict[str, float]:
        with stop_on_signals(self.stop):
            try:
                if self.state.step == 0:
                    self._evaluate()
                    if self.fabric.world_size > 1:
                        self._save()  # from here on there is something to resume from, whichever process is lost
                self._loop()
                return self._finish()
            except ProcessLost as error:
                raise ProcessLost(
                    f"{error}, so the run stopped at step {self.state.step}; go on from its checkpoint of step "
                    f"{self.saved_step} by the same command with --resume"
                ) from None
            finally:
                self.logs.close()
                self.bar.close()

    def _loop(self) -> None:
        state, evaluations = self.state, self._evaluations_due()
        for batch, indices in self._batches():
            self.watch.check()
            progress = self._progress()
            if progress >= 1:
                return
            self._step(batch, indices, progress)
            state.step += 1
            if state.step % _LOG_EVERY == 0:
                self._log(progress)
            if (due := self._evaluations_due()) > evaluations:
                evaluations = due
                self._evaluate()
            if agreed(self.fabric, self._checkpoint_due()):
                self._save()
            if agreed(self.fabric, self.stop.is_set()):
                self._save()
                raise Stopped(f"stopped at step {state.step}; go on with --resume -o {self.out}")

    def _batches(self) -> Iterator[tuple[dict[str, Tensor], list[int]]]:
        fabric, workers = self.fabric, self.recipe.workers
        batches = iter(
            order.loader(
                self.dataset,
                seed=self.recipe.seed,
                batch=self.batch,
                start=self.first_step,
                workers=workers if workers is not None else (1 if fabric.device.type == "cpu" else 8),
                rank=fabric.global_rank,
                world=fabric.world_size,
            )
        )
        while True:
            began = time.monotonic()
            try:
                batch = next(batches)
            except UnpoolError as error:
                raise _from_worker(error) from None
            indices = batch.pop("index").tolist()
            if self.state.step == self.first_step:
                order.check_range(batch, self.task.input_range, self.dataset.name(indices[0]))
            else:
                self.waited += time.monotonic() - began
            yield {key: to_device(value, fabric.device) for key, value in batch.items()}, indices

    def _step(self, batch: dict[str, Tensor], indices: list[int], progress: float) -> None:
        state, recipe = self.state, self.recipe
        seed = order.step_seed(recipe.seed, state.step, self.fabric.global_rank)
        torch.manual_seed(seed)
        self.generator.manual_seed(seed)
        for network in self.task.networks.values():
            network.train()
        losses = self.task.losses(batch, state.step, self.generator)
        while True:
            with self.fabric.autocast():
                loss = next(losses, None)
            if loss is None:
                break
            optimiser, parameters = state.optimisers[loss.optimiser], state.parameters[loss.optimiser]
            rate = state.rate_scale * learning_rate(recipe.optimisers.get(loss.optimiser, recipe.optimiser), progress)
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
            # For this optimiser's parameters alone: a generator's loss leaves no gradient in its critic.
            loss.value.backward(inputs=parameters)
            share_gradients(self.fabric, parameters)
            if recipe.clip is not None:
                torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
            optimiser.step()
            self.watch.note(loss.optimiser, loss.value, indices)
            for name, value in ({f"loss/{loss.optimiser}": loss.value} | dict(loss.log)).items():
                self.means.add(name, value)
        state.average()

    def _progress(self) -> float:
        """Share of the budget spent, the same in every process."""
        progress = self.clock.progress(self.state.step)
        return progress if self.budget.steps is not None else agreed(self.fabric, progress)

    def _evaluations_due(self) -> int:
        """How many evaluations belong before this point of the run."""
        every = self.recipe.evaluate_every
        return int(self.state.step / every) if every >= 1 else int(self._progress() / every + 1e-9)

    def _evaluate(self) -> dict[str, float]:
        with self.state.averaged():
            figures = self.task.evaluate()
            pictures = self.task.samples()
        self.logs.values(self.state.step, self.clock.elapsed / 60, figures)
        self.logs.pictures(self.state.step, pictures)
        best = self.recipe.best
        if best is not None:
            if best.metric not in figures:
                raise RecipeError(f"best.metric {best.metric!r} is not among the figures: {', '.join(figures)}")
            self.watch.compare(figures[best.metric], best.higher)
        return figures

    def _log(self, progress: float) -> None:
        spent = max(time.monotonic() - self.started, 1e-9)
        waiting = self.waited / spent
        self.logs.values(self.state.step, self.clock.elapsed / 60, self.means.take() | {"data_wait": waiting})
        pace = (self.state.step - self.first_step) * self.batch / spent
        self.bar.update(progress, self.state.step, f"{pace:.0f} pictures/s, {waiting:.0%} waiting")

    def _checkpoint_due(self) -> bool:
        every = self.recipe.checkpoint_every
        if every is not None:
            return self.state.step % every == 0
        return time.monotonic() - self.saved > _CHECKPOINT_SECONDS

    def _save(self) -> None:
        self.watch.check()  # a checkpoint never holds weights that a bad loss has touched
        if self.fabric.is_global_zero:
            numbers = self.state.numbers() | {"elapsed": self.clock.elapsed, "usual": self.watch.usual}
            checkpoint.save(self.out / "checkpoint", self.state.tensors(), numbers)
            self.saved_step = self.state.step
        wait_for_all(self.fabric)
        self.saved, self.saved_step = time.monotonic(), self.state.step

    def _finish(self) -> dict[str, float]:
        figures = self._evaluate()
        self._save()
        best = self.recipe.best
        self.state.load_averages(best=best is not None)
        for network in self.task.networks.values():
            network.eval()
        if best is not None and figures[best.metric] != self.state.best_figure:
            with torch.no_grad():
                figures = self.task.evaluate()
        if self.fabric.is_global_zero:
            write_weights(self.task, self.recipe, self.out, figures, self._spent())
        wait_for_all(self.fabric)
        return figures

    def _spent(self) -> dict[str, Any]:
        return {
            "steps": self.state.step,
            "pictures": self.state.step * self.batch,
            "minutes": round(self.clock.elapsed / 60, 2),
            "hardware": hardware(self.fabric.device, self.fabric.world_size),
            "threads": torch.get_num_threads(),
            "precision": str(self.fabric._precision.precision),
            "seed": self.recipe.seed,
            **earlier(self.task.went_on_from),
        }
