"""Work off the event loop: a bounded queue in front of a few threads."""

import asyncio
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from unpool.errors import UnpoolError

Answer = TypeVar("Answer")
Item = TypeVar("Item")
Made = TypeVar("Made")

TOGETHER = 16  # items of one kind that are worked on at once


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
        self._piles: dict[Hashable, deque[tuple[Any, Future[Any]]]] = defaultdict(deque)
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="work")

    async def do(self, work: Callable[..., Answer], *arguments: Any, **keywords: Any) -> Answer:
        """Run `work` in a thread and wait for it.

        Raises:
            Busy: as many requests as may are waiting already.
            TooSlow: it took longer than `limits.seconds`.
        """
        self._refuse_if_full()
        self.waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._timed, work, arguments, keywords)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self.limits.seconds)
        except TimeoutError:
            raise TooSlow(f"this took longer than {self.limits.seconds:g} s: give a smaller picture") from None

    async def together(
        self,
        kind: Hashable,
        prepare: Callable[[bytes], Item],
        work: Callable[[Sequence[Item]], Sequence[Made]],
        finish: Callable[[Made], Answer],
        data: bytes,
    ) -> Answer:
        """`finish(work([prepare(data)])[0])`, where `work` gets at once whatever of its kind waits for a thread.

        An idle server answers at once; a busy one works on up to `TOGETHER` items in one call. What cannot be prepared
        fails alone.

        Args:
            kind: work on items of one kind has the same settings.
            prepare: a request's body to an item.
            work: items to as many results.
            finish: a result to the answer.
            data: the body.
        """
        self._refuse_if_full()
        place: Future[Made] = Future()
        with self._lock:
            self._piles[kind].append((data, place))
        return await self.do(self._turn, kind, prepare, work, finish, place)

    def _turn(self, kind: Hashable, prepare: Any, work: Any, finish: Any, place: "Future[Any]") -> Any:
        """Work on what waits, unless an earlier turn took this place along."""
        with self._lock:
            pile = self._piles[kind]
            here = next((number for number, (_, own) in enumerate(pile) if own is place), None)
            several = 0 if here is None else min(max(TOGETHER, here + 1), len(pile))
            taken = [pile.popleft() for _ in range(several)]
            if not pile:
                del self._piles[kind]
        ready = []
        for data, own in taken:
            try:
                ready.append((prepare(data), own))
            except Exception as error:
                own.set_exception(error)
        if ready:
            _settle(work, ready)
        return finish(place.result())

    def _refuse_if_full(self) -> None:
        if self.waiting >= self.limits.queue:
            raise Busy(max(1, math.ceil(self._usual * self.waiting / self.limits.workers)))

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


def _settle(work: Callable[[Sequence[Item]], Sequence[Made]], ready: "list[tuple[Item, Future[Made]]]") -> None:
    """Give every place its result; where the items fail together, each is tried alone."""
    try:
        for (_, place), made in zip(ready, work([item for item, _ in ready]), strict=True):
            place.set_result(made)
    except Exception as error:
        if len(ready) == 1:
            ready[0][1].set_exception(error)
            return
        for one in ready:
            if not one[1].done():
                _settle(work, [one])
