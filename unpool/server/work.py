"""Work off the event loop: a bounded queue in front of a few threads."""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from unpool.errors import UnpoolError

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Limits:
    """What one server takes on.

    Attributes:
        body_bytes: the largest request body.
        pixels: the largest picture, by its header.
        seconds: how long a request may take, waiting included.
        queue: how many requests may wait or run; more are answered 429.
        workers: how many run at once.
    """

    body_bytes: int = 50_000_000
    pixels: int = 50_000_000
    seconds: float = 120.0
    queue: int = 32
    workers: int = 1


class Busy(UnpoolError):
    """The queue is full. `retry_after`: seconds until there should be room."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the server is busy: try again in {retry_after} s")
        self.retry_after = retry_after


class TooSlow(UnpoolError):
    """A request took longer than it may."""


class Desk:
    """Takes work in order, runs it in threads, refuses it when the queue is full.

    A thread cannot be stopped: work that outlasts its request goes on and keeps its place until it is done.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.waiting = 0
        self._usual = 1.0  # seconds a piece of work takes, a running mean
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="work")

    async def do(self, work: Callable[..., Answer], *arguments: Any, **keywords: Any) -> Answer:
        """Run `work` in a thread and wait for it.

        Raises:
            Busy: as many requests as may are waiting already.
            TooSlow: it took longer than `limits.seconds`.
        """
        if self.waiting >= self.limits.queue:
            raise Busy(max(1, math.ceil(self._usual * self.waiting / self.limits.workers)))
        self.waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._timed, work, arguments, keywords)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self.limits.seconds)
        except TimeoutError:
            raise TooSlow(f"this took longer than {self.limits.seconds:g} s: give a smaller picture") from None

    def _timed(self, work: Callable[..., Answer], arguments: Any, keywords: Any) -> Answer:
        began = time.perf_counter()
        try:
            return work(*arguments, **keywords)
        finally:
            self._usual += 0.1 * (time.perf_counter() - began - self._usual)

    def _done(self, future: "asyncio.Future[Any]") -> None:
        self.waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, even when the request has gone

    def close(self) -> None:
        """Finish what was taken on."""
        self._threads.shutdown(wait=True)
