"""The behaviour of every store of conversations: the base class of their tests, which have a fixture `store`."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from syncai import BinaryContent, ConversationConflict, ModelMessage, ModelRequest, ModelResponse, UserError
from syncai.conversations import Store
from syncai.messages import TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.usage import Usage

AT = datetime(2026, 11, 28, 12, 30, 15, 123456, tzinfo=UTC)
FILE = BinaryContent(b'%PDF-1.7' + bytes(range(256)) * 400, 'application/pdf', filename='bill.pdf')
SMALL = BinaryContent(b'\x89PNG\r\n\x1a\n' + bytes(100), 'image/png')


def turn(prompt: Any = 'Hello', answer: str = 'Good day') -> list[ModelMessage]:
    """A prompt and its answer."""
    response = ModelResponse([TextPart(answer)], usage=Usage(1, 10, 5, 15), model_name='m', timestamp=AT)
    return [ModelRequest([UserPromptPart(prompt, timestamp=AT)], instructions='Be short.'), response]


def with_tools() -> list[ModelMessage]:
    """Calls, a return with a file in it, and an answer that broke off."""
    calls = ModelResponse([ToolCallPart('scan', {'page': 1}, 'c1'), ToolCallPart('sum', '{"of": [1]}', 'c2')])
    returns = [ToolReturnPart('scan', {'pages': [FILE, SMALL], 'n': 2}, 'c1', timestamp=AT)]
    cut = ModelResponse([TextPart('Half an ans')], timestamp=AT, incomplete=True)
    return [*turn(['See', FILE, SMALL]), calls, ModelRequest(returns), cut, ModelRequest([], stands_for=(2, 5))]


class StoreConformance:
    """Tests of the public protocol."""

    def thread_ends(self) -> None:
        """Called by a thread of the program at its end."""

    def test_what_was_appended_is_loaded(self, store: Store) -> None:
        assert tuple(store.load('a')) == ([], 0)
        messages = [
            *turn(),
            *with_tools(),
            *turn('\0 and half a pair \ud800'),
            *turn('Zoë and 日本 \u202e \U0001f600 "quoted" \\ \n'),
        ]
        version = store.append('a', 0, messages[:2])
        version = store.append('a', version, messages[2:])
        loaded, now = store.load('a')
        assert [*loaded] == messages
        assert now == version
        response: Any = loaded[1]
        assert (response.timestamp, response.usage.request_tokens) == (AT, 10)

    def test_an_old_version_is_a_conflict_and_loses_nothing(self, store: Store) -> None:
        version = store.append('a', 0, turn())
        newer = store.append('a', version, turn('Second'))
        for old in {0, version, newer + 1, newer + 100}:
            with pytest.raises(ConversationConflict) as caught:
                store.append('a', old, turn('Lost'))
            assert (caught.value.id, caught.value.version) == ('a', old)
        assert [*store.load('a')[0]] == [*turn(), *turn('Second')]
        store.append('a', newer, turn('Third'))

    def test_nothing_appended_is_nothing_changed(self, store: Store) -> None:
        assert store.append('a', 0, []) == 0
        assert [*store.list()] == []

    def test_conversations_are_apart(self, store: Store) -> None:
        store.append('a', 0, turn('of a'))
        store.append('A', 0, turn('of A'))
        store.append('a ', 0, turn('of a and a space'))
        assert [*store.load('a')[0]] == turn('of a')
        store.delete('a')
        assert [*store.load('A')[0]] == turn('of A')

    def test_lists(self, store: Store) -> None:
        for name in ('user-1', 'guest-1', 'user-2', 'user_3', 'User-4', 'üser'):
            store.append(name, 0, turn())
        store.append('user-1', store.load('user-1')[1], turn())
        assert [*store.list(prefix='user-')] == ['user-1', 'user-2']
        assert [*store.list(prefix='user-', limit=1)] == ['user-1']
        assert [*store.list(limit=2)] == ['user-1', 'üser']
        assert {*store.list()} == {'user-1', 'guest-1', 'user-2', 'user_3', 'User-4', 'üser'}
        assert [*store.list(prefix='%')] == [*store.list(prefix='user-*')] == []

    def test_a_deleted_conversation_begins_anew(self, store: Store) -> None:
        version = store.append('a', 0, turn(['See', FILE]))
        store.append('b', 0, turn(['See', FILE]))
        store.delete('a')
        store.delete('a')
        assert tuple(store.load('a')) == ([], 0)
        assert [*store.list()] == ['b']
        with pytest.raises(ConversationConflict):
            store.append('a', version, turn())
        store.append('a', 0, turn())
        assert [*store.load('b')[0]] == turn(['See', FILE])

    @pytest.mark.parametrize('name', ['', 'x' * 256, 'a\0b', '\ud800', None, 7])
    def test_what_is_no_id_is_refused(self, store: Store, name: Any) -> None:
        for call in (store.load, store.delete, lambda name: store.append(name, 0, turn())):
            with pytest.raises(UserError, match='id of a conversation'):
                call(name)

    def test_an_id_may_be_long_and_of_any_script(self, store: Store) -> None:
        for name in ('x' * 255, '会話-👨\u200d👩', "a'; DROP TABLE x; --", 'a/../b', '{a}'):
            store.append(name, 0, turn(name))
            assert [*store.load(name)[0]] == turn(name)

    def test_of_writers_at_the_same_time_each_loses_nothing(self, store: Store) -> None:
        conflicts: list[ConversationConflict] = []
        errors: list[Exception] = []

        def write(number: int) -> None:
            for count in range(5):
                while True:
                    try:
                        store.append('a', store.load('a')[1], turn(f'{number} {count}'))
                        break
                    except ConversationConflict as conflict:
                        conflicts.append(conflict)
                    except Exception as error:
                        errors.append(error)
                        return
            self.thread_ends()

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        messages: Any = store.load('a')[0]
        prompts = [message.parts[0].content for message in messages[::2]]
        assert sorted(prompts) == sorted(f'{number} {count}' for number in range(4) for count in range(5))
        assert [message.kind for message in messages] == ['request', 'response'] * 20
