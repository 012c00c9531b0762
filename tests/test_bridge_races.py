"""Moments in which two threads meet, each brought about on purpose."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from syncai._bridge import Channel, SyncConsumer, call_user_function, open_sync
from syncai._bridge.channel import DEPTH
from syncai.exceptions import CallCancelled

PATIENCE = 10.0
"""Seconds that are never waited for, unless something is wrong."""


def rest_of(consumer: SyncConsumer[Any]) -> list[Any]:
    """All events that are left."""
    events: list[Any] = []
    while (batch := consumer.next_batch(PATIENCE)) is not None:
        assert batch, 'nothing comes any more'
        events += batch
    return events


def test_who_waits_for_room_is_not_forgotten_when_another_finds_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader takes something between the two looks of another, and looks for wishes only after both."""
    waiting, looks = threading.Event(), list[Any]()

    async def work(channel: Channel[list[int]]) -> list[int]:
        for number in range(DEPTH):
            await channel.emit([number])
        first = asyncio.create_task(call_user_function(lambda: 1))
        await asyncio.sleep(0)
        offer = channel.queue.offer

        def look(item: Any) -> bool:
            looks.append(item)
            if len(looks) == 2:
                channel.queue.take_nowait()
            return offer(item)

        monkeypatch.setattr(channel.queue, 'offer', look)
        second = asyncio.create_task(call_user_function(lambda: 2))
        await asyncio.sleep(0)
        monkeypatch.undo()
        waiting.set()
        return await asyncio.gather(first, second)

    consumer = open_sync(work)
    assert waiting.wait(PATIENCE)
    assert rest_of(consumer) == list(range(1, DEPTH))
    assert consumer.finish() == [1, 2]
    assert len(looks) == 2


def test_a_call_that_is_stopped_just_as_a_timeout_of_its_own_passes_stops() -> None:
    """asyncio takes the cancellation by its timeout back; ours, which came right after it, must not go with it."""
    begun, went_on = threading.Event(), list[bool]()

    async def work(channel: Channel[None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                limit.reschedule(loop.time())  # passes in the next turn of the loop
                loop.call_soon(channel.cancel_on_loop)  # and before the task hears of it
                begun.set()
                await asyncio.sleep(3600)
        except TimeoutError:
            went_on.append(True)
            await asyncio.sleep(3600)

    consumer = open_sync(work)
    assert begun.wait(PATIENCE)
    with pytest.raises(CallCancelled):
        rest_of(consumer)
        consumer.finish()
    assert went_on == []
