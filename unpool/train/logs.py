"""What a run leaves for people: a CSV curve, TensorBoard events, sample pictures, a progress bar."""

import csv
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unpool.images.picture import Picture
from unpool.images.writing import write

_COLUMNS = ("step", "minutes", "name", "value")


class Curve:
    """A CSV file in long form: step, minutes, name, value. Rows after `start` (of a run that was cut) are dropped."""

    def __init__(self, path: Path, start: int) -> None:
        rows = []
        if start and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.reader(file) if row and row[0].isdigit() and int(row[0]) <= start]
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", newline="", encoding="utf-8")
        self._csv = csv.writer(self._file)
        self._csv.writerows([_COLUMNS, *rows])

    def write(self, step: int, minutes: float, values: dict[str, float]) -> None:
        """Add one row a value."""
        self._csv.writerows((step, f"{minutes:.3f}", name, f"{value:.6g}") for name, value in values.items())
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Means:
    """Running means of logged values; tensors stay on their device until they are asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, value: Tensor | float) -> None:
        """Count one value."""
        value = value.detach().float().mean() if isinstance(value, Tensor) else value
        self._sums[name] = self._sums.get(name, 0.0) + value
        self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """The means since the last call."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means


class Logs:
    """All logs of one run in one folder. Processes other than the first write nothing."""

    def __init__(self, folder: Path, start: int, first: bool) -> None:
        self.folder, self.first = folder, first
        self._curve = Curve(folder / "curve.csv", start) if first else None
        self._board = _board(folder, start) if first else None

    def values(self, step: int, minutes: float, values: dict[str, float]) -> None:
        """Write figures to every log."""
        if self._curve is not None:
            self._curve.write(step, minutes, values)
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def pictures(self, step: int, pictures: dict[str, Tensor]) -> None:
        """Write each batch of pictures (N, C, H, W) in [0, 1] as one row."""
        if not self.first:
            return
        for name, batch in pictures.items():
            row = torch.cat(list(batch.detach().float().cpu().clamp(0, 1)), dim=-1)
            folder = self.folder / "samples"
            folder.mkdir(parents=True, exist_ok=True)
            write(Picture.from_tensor(row[None]), folder / f"{name}-{step:07d}.png")
            if self._board is not None:
                self._board.add_image(name, row, step)

    def close(self) -> None:
        """Close every log."""
        for log in (self._curve, self._board):
            if log is not None:
                log.close()


def _board(folder: Path, start: int) -> Any:
    """TensorBoard's writer, or None where the extra is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=start or None)


class Bar:
    """A progress bar on a terminal, nothing in a pipe."""

    def __init__(self, title: str, show: bool) -> None:
        self._progress = None
        if show and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} % step {task.fields[step]} {task.fields[note]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar = self._progress.add_task(title, total=1.0, step=0, note="")
            self._progress.start()

    def update(self, progress: float, step: int, note: str) -> None:
        """Show progress in [0, 1]."""
        if self._progress is not None:
            self._progress.update(self._bar, completed=progress, step=step, note=note)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress is not None:
            self._progress.stop()
