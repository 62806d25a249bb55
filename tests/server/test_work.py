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
