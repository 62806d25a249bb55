"""Whether a run still goes well: losses that are not finite, explode, and figures that fall."""

import math
from collections.abc import Callable

from torch import Tensor

from unpool.errors import DataError
from unpool.train.recipe import Recipe
from unpool.train.state import State

_MOST_ROLLBACKS = 3
_SETTLED = 100  # steps before the usual size of a loss is known


class Watch:
    """Looks at every loss one step late (by then a GPU has it, and nobody waits) and returns to the best on trouble."""

    def __init__(self, recipe: Recipe, state: State, name_of: Callable[[int], str]) -> None:
        self.recipe, self.state, self.name_of = recipe, state, name_of
        self.usual: dict[str, float] = {}
        self._pending: list[tuple[str, Tensor, list[int]]] = []

    def note(self, optimiser: str, value: Tensor, indices: list[int]) -> None:
        """Remember a loss and the samples it came from."""
        self._pending.append((optimiser, value.detach(), indices))

    def check(self) -> None:
        """Look at the noted losses.

        Raises:
            DataError: one is not finite (with the names of its batch), or training keeps exploding.
        """
        for optimiser, tensor, indices in self._pending:
            value = float(tensor)
            if not math.isfinite(value):
                names = ", ".join(self.name_of(index) for index in indices[:32])
                raise DataError(f"the loss {optimiser!r} is {value} at step {self.state.step}; its batch: {names}")
            usual = self.usual.get(optimiser, value)
            self.usual[optimiser] = usual + 0.02 * (value - usual)
            limit = self.recipe.explosion
            if limit is not None and 0 < limit * usual < value and self.state.step > _SETTLED:
                self._roll_back(f"the loss {optimiser!r} rose to {value:.3g}, usual is {usual:.3g}")
                break
        self._pending.clear()

    def compare(self, figure: float, higher: bool) -> None:
        """Keep the weights if `figure` is the best so far; return to the best if it fell too far below."""
        state, kept = self.state, self.state.best_figure
        if kept is not None and not math.isfinite(kept):
            kept = None
        if math.isfinite(figure) and (kept is None or (figure > kept if higher else figure < kept)):
            state.keep_as_best(figure)
        elif self.recipe.rollback is not None and kept is not None:
            better, worse = (kept, figure) if higher else (figure, kept)
            if not math.isfinite(figure) or better > self.recipe.rollback * worse:
                self._roll_back(f"the figure went from {kept:.4g} to {figure:.4g}")

    def _roll_back(self, why: str) -> None:
        if not self.state.best or self.state.rollbacks >= _MOST_ROLLBACKS:
            raise DataError(f"training does not hold: {why}, after {self.state.rollbacks} returns; lower the rate")
        self.state.back_to_best()
        self.usual.clear()
