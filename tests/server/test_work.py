"""The desk: bounded, in order, honest about being busy."""

import asyncio
import threading
import time

import pytest

from unpool.server.work import Busy, Desk, Limits, TooSlow


def test_full_queue_is_refused_and_room_comes_back():
    async def scenario():
        desk, gate = Desk(Limits(queue=2, workers=1)), threading.Event()
        waiting = [asyncio.create_task(desk.do(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Busy) as refused:
            await desk.do(int)
        assert refused.value.retry_after >= 1
        gate.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert await desk.do(lambda: 3) == 3
        assert desk.waiting == 0
        desk.close()

    asyncio.run(scenario())


def test_too_slow_keeps_its_place_until_it_is_done():
    async def scenario():
        desk = Desk(Limits(seconds=0.05, workers=1))
        with pytest.raises(TooSlow):
            await desk.do(time.sleep, 0.3)
        assert desk.waiting == 1
        await asyncio.sleep(0.4)
        assert desk.waiting == 0
        desk.close()

    asyncio.run(scenario())


def test_errors_come_through():
    async def scenario():
        desk = Desk(Limits())
        with pytest.raises(ZeroDivisionError):
            await desk.do(lambda: 1 / 0)
        assert desk.waiting == 0
        desk.close()

    asyncio.run(scenario())


def test_what_waits_is_worked_on_together():
    async def scenario():
        desk, gate, batches = Desk(Limits(queue=40)), threading.Event(), []

        def prepare(data):
            if data == b"bad":
                raise ValueError("bad")
            return int(data)

        def work(items):
            batches.append(len(items))
            if 13 in items and len(items) > 1:
                raise RuntimeError("not together")
            if items == [13]:
                raise RuntimeError("thirteen")
            return [item * 10 for item in items]

        first = asyncio.create_task(desk.do(gate.wait))
        await asyncio.sleep(0.05)
        asked = [
            asyncio.create_task(desk.together("kind", prepare, work, str, body)) for body in (b"1", b"bad", b"2", b"13")
        ]
        other = asyncio.create_task(desk.together("other", prepare, work, str, b"7"))
        await asyncio.sleep(0.05)
        gate.set()
        answers = await asyncio.gather(first, *asked, other, return_exceptions=True)
        assert answers[1] == "10"
        assert isinstance(answers[2], ValueError)
        assert answers[3] == "20"
        assert str(answers[4]) == "thirteen"
        assert answers[5] == "70"
        assert batches == [3, 1, 1, 1, 1]  # together, then each alone; and the other kind
        assert desk.waiting == 0
        desk.close()

    asyncio.run(scenario())
