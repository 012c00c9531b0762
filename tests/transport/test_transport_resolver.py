"""Names are looked up once for all waiting connections and kept for a few seconds; addresses are not looked up."""

from __future__ import annotations

import asyncio
import socket
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from transport_wire import run, turns

from syncai._transport import resolver
from syncai._transport.resolver import Resolver

FOUND = [
    (socket.AF_INET6, socket.SOCK_STREAM, 6, '', ('2001:db8::1', 80, 0, 0)),
    (socket.AF_INET, socket.SOCK_STREAM, 6, '', ('192.0.2.1', 80)),
]


class System:
    """Answers in place of the system, when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = list[tuple[Any, ...]]()
        self.answer: list[Any] | Exception = FOUND
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.now = 0.0
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, 'getaddrinfo', self.getaddrinfo)
        self.resolver = Resolver(loop)
        self.real_time = loop.time
        monkeypatch.setattr(loop, 'time', lambda: self.real_time() + self.now)

    async def getaddrinfo(self, *asked: Any, **options: Any) -> list[Any]:
        assert options == {'type': socket.SOCK_STREAM}
        self.asked.append(asked)
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def with_system(monkeypatch: pytest.MonkeyPatch, test: Callable[[System], Any]) -> None:
    async def main() -> None:
        with monkeypatch.context() as patched:
            await test(System(patched))

    run(main())


def test_a_name_without_addresses_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(system: System) -> None:
        system.answer = []
        with pytest.raises(socket.gaierror, match='no address'):
            await system.resolver.addresses('host.example', 80)
        system.answer = FOUND
        assert await system.resolver.addresses('host.example', 80) == FOUND

    with_system(monkeypatch, test)


def test_many_who_ask_at_once_share_one_question_and_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(system: System) -> None:
        system.may_answer.clear()
        asking = [asyncio.create_task(system.resolver.addresses('host.example', 80)) for _ in range(5)]
        other = asyncio.create_task(system.resolver.addresses('host.example', 81))
        await turns(3)
        system.may_answer.set()
        assert await asyncio.gather(*asking, other) == [FOUND] * 6
        assert system.asked == [('host.example', 80), ('host.example', 81)]
        assert not system.resolver._asking

    with_system(monkeypatch, test)


def test_a_name_is_remembered_for_a_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(system: System) -> None:
        for now, asked in ((0, 1), (9, 1), (11, 2), (12, 2)):
            system.now = now
            assert await system.resolver.addresses('host.example', 80) == FOUND
            assert len(system.asked) == asked

    with_system(monkeypatch, test)


def test_a_known_address_is_used_past_its_time_while_its_look_up_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8767, 5: stale data is used where the refresh does not come within a short while."""
    monkeypatch.setattr(resolver, '_SLOW', 0.02)
    monkeypatch.setattr(resolver, '_SECONDS', 2.0)

    async def test(system: System) -> None:
        await system.resolver.addresses('host.example', 80)
        system.may_answer.clear()
        system.now = 3
        for _ in range(3):
            assert await system.resolver.addresses('host.example', 80) == FOUND
        assert len(system.asked) == 2  # one look-up for all
        system.answer = [FOUND[1]]
        system.may_answer.set()
        await turns(3)
        assert await system.resolver.addresses('host.example', 80) == [FOUND[1]]
        system.now = 8
        system.answer = socket.gaierror(socket.EAI_AGAIN, 'later')
        assert await system.resolver.addresses('host.example', 80) == [FOUND[1]]
        system.answer = socket.gaierror(socket.EAI_NONAME, 'not known')
        with pytest.raises(socket.gaierror):
            await system.resolver.addresses('host.example', 80)
        monkeypatch.setattr(resolver, '_PAST_ITS_TIME', 1.0)
        system.answer = socket.gaierror(socket.EAI_AGAIN, 'later')
        with pytest.raises(socket.gaierror):
            await system.resolver.addresses('host.example', 80)

    with_system(monkeypatch, test)


def test_no_more_than_so_many_names_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(system: System) -> None:
        for number in range(1000):
            await system.resolver.addresses(f'host{number}.example', 80)
            assert len(system.resolver._cache) <= resolver._MOST_NAMES

    with_system(monkeypatch, test)


def test_a_failure_is_shared_by_those_who_wait_but_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(system: System) -> None:
        system.answer = socket.gaierror(socket.EAI_NONAME, 'not known')
        asking = [system.resolver.addresses('host.example', 80) for _ in range(3)]
        errors = await asyncio.gather(*asking, return_exceptions=True)
        assert [(type(error), error.args) for error in errors if isinstance(error, Exception)] == [
            (socket.gaierror, system.answer.args)
        ] * 3
        assert len({id(error) for error in errors}) == 3  # each has a traceback of its own
        assert len(system.asked) == 1
        system.answer = FOUND
        assert await system.resolver.addresses('host.example', 80) == FOUND

    with_system(monkeypatch, test)


@pytest.mark.parametrize('host', ['a..example', '.example', f'{"a" * 64}.example'])
def test_a_name_that_cannot_be_asked_for_was_not_found(host: str) -> None:
    async def test() -> None:
        with pytest.raises(socket.gaierror) as caught:
            await Resolver(asyncio.get_running_loop()).addresses(host, 80)
        assert caught.value.errno == socket.EAI_NONAME

    run(test())


def test_who_stops_waiting_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(system: System) -> None:
        system.may_answer.clear()
        first, second = (asyncio.create_task(system.resolver.addresses('host.example', 80)) for _ in range(2))
        await turns(2)
        first.cancel()
        await turns(2)
        assert first.cancelled()
        system.may_answer.set()
        assert await second == FOUND
        third = asyncio.create_task(system.resolver.addresses('host.example', 81))
        await turns(1)
        third.cancel()  # the only one: the answer is for the next caller
        await turns(3)
        assert await system.resolver.addresses('host.example', 81) == FOUND
        assert len(system.asked) == 2
        assert len(asyncio.all_tasks()) == 1

    with_system(monkeypatch, test)


def test_a_failure_for_which_nobody_waits_any_more_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(system: System) -> None:
        system.may_answer.clear()
        system.answer = socket.gaierror(socket.EAI_AGAIN, 'later')
        asking = asyncio.create_task(system.resolver.addresses('host.example', 80))
        await turns(2)
        asking.cancel()
        await turns(2)
        system.may_answer.set()
        await turns(3)
        assert not system.resolver._asking

    with_system(monkeypatch, test)
    assert not caplog.records


@pytest.mark.parametrize(
    ('host', 'expected'),
    [
        ('192.0.2.7', (socket.AF_INET, ('192.0.2.7', 443))),
        ('2001:db8::7', (socket.AF_INET6, ('2001:db8::7', 443, 0, 0))),
    ],
)
def test_an_address_is_not_asked_for(host: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(system: System) -> None:
        ((family, kind, protocol, _, address),) = await system.resolver.addresses(host, 443)
        assert ((family, address), kind, protocol) == (expected, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        assert not system.asked
        await system.resolver.addresses('fe80::1%lo', 443)  # the system knows the number of `lo`
        assert len(system.asked) == 1

    with_system(monkeypatch, test)


def test_a_question_keeps_nothing_of_who_asked_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    class Value: ...

    variable: ContextVar[Value] = ContextVar('variable')

    async def test(system: System) -> None:
        system.may_answer.clear()

        async def ask() -> weakref.ref[Value]:
            variable.set(value := Value())
            asking = asyncio.ensure_future(system.resolver.addresses('host.example', 80))
            await turns(2)
            asking.cancel()
            await turns(2)
            return weakref.ref(value)

        alive = await asyncio.create_task(ask())
        await turns(2)
        assert system.resolver._asking
        assert alive() is None
        system.may_answer.set()
        await turns(3)

    with_system(monkeypatch, test)
