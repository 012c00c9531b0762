"""Calls that wait, decisions about them, and the pause of a run: as values, pickled, and in JSON."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from typing import Any

import pytest
from pydantic import TypeAdapter

from syncai import (
    Answered,
    Approve,
    BinaryContent,
    Deny,
    ModelMessagesTypeAdapter,
    Pause,
    PendingCall,
    RunPaused,
    Usage,
)
from syncai.approvals import Decision, ask_in_terminal
from syncai.events import ToolCallPausedEvent
from syncai.messages import ModelRequest, ToolReturnPart

CALL = PendingCall('call_1', 'refund', {'order': 7, 'amount': 250.0}, 'above 100', {'customer': 'Ann'})


@pytest.mark.parametrize(
    'value', [CALL, Approve(), Approve({'amount': 1}), Deny('no'), Answered([1]), Pause('why', details=3)]
)
def test_values_pickle(value: Any) -> None:
    again = pickle.loads(pickle.dumps(value))
    assert repr(again) == repr(value)
    if not isinstance(value, Pause):
        assert again == value
    else:
        assert (again.message, again.details) == ('why', 3)


def test_calls_go_through_json() -> None:
    adapter = TypeAdapter(list[PendingCall])
    assert adapter.validate_json(adapter.dump_json([CALL])) == [CALL]


def test_decisions_go_through_json_and_files_stay_files() -> None:
    adapter: TypeAdapter[dict[str, Decision]] = TypeAdapter(dict[str, Decision])
    image = BinaryContent(b'\x89PNG\r\n\x1a\n', 'image/png')
    decisions: dict[str, Decision] = {
        'a': Approve({'x': 1}, args_hash='0'),
        'b': Deny('no'),
        'c': Answered({'image': image}),
        'd': Approve(),
    }
    assert adapter.validate_json(adapter.dump_json(decisions)) == decisions
    assert adapter.validate_python({'b': {'decision': 'deny', 'reason': 'no'}}) == {'b': Deny('no')}


def test_the_hash_is_that_of_the_tool_and_its_arguments_alone() -> None:
    written = '["refund",{"amount":250,"order":7}]'
    assert CALL.args_hash == hashlib.sha256(written.encode()).hexdigest()
    through_a_browser = json.loads(written)[1]  # JSON.stringify(250.0) is 250
    assert PendingCall('x', 'refund', through_a_browser).args_hash == CALL.args_hash
    assert PendingCall('call_1', 'refund', {'order': 7, 'amount': 251}).args_hash != CALL.args_hash
    assert PendingCall('call_1', 'pay', {'order': 7, 'amount': 250}).args_hash != CALL.args_hash


def test_a_call_is_a_key() -> None:
    assert {CALL: Approve()}[pickle.loads(pickle.dumps(CALL))] == Approve()


@pytest.mark.parametrize('copier', [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_pause_pickles_with_all_that_it_holds(copier: Any) -> None:
    messages = [ModelRequest([ToolReturnPart('look', 'x', 'call_0')], pending=(CALL,))]
    paused = copier(RunPaused('waits', pending=[CALL], messages=messages, usage=Usage(requests=1)))
    assert (str(paused), paused.pending, paused.usage) == ('waits', (CALL,), Usage(requests=1))
    assert paused.messages == messages
    assert ModelMessagesTypeAdapter.validate_json(paused.messages_json()) == messages


def test_details_that_json_cannot_hold_are_left_out_of_the_json(caplog: pytest.LogCaptureFixture) -> None:
    messages = [ModelRequest([], pending=(PendingCall('a', 'b', {}, None, object()),))]
    stored = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))  # type: ignore[arg-type]
    assert isinstance(stored[0], ModelRequest)
    assert stored[0].pending[0].details is None
    assert 'cannot be written as JSON' in caplog.text


def test_the_event_names_the_call() -> None:
    assert ToolCallPausedEvent(CALL).tool_call_id == 'call_1'


@pytest.mark.parametrize(
    ('typed', 'decision'),
    [('y', Approve()), (' YES ', Approve()), ('', Deny()), ('n', Deny()), ('too much', Deny('too much'))],
)
def test_the_terminal(
    typed: str, decision: Decision, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('builtins.input', lambda _: typed)
    assert ask_in_terminal(CALL) == decision
    shown = capsys.readouterr().out
    assert "refund(order=7, amount=250.0)\n  above 100\n  {'customer': 'Ann'}" in shown


def test_the_terminal_shows_no_control_characters_and_no_input_leaves_the_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.setattr('builtins.input', ended)
    assert ask_in_terminal(PendingCall('a', 'say', {'\x1b[2Kx': 1}, 'rm\u202e')) is None
    assert '\x1b' not in capsys.readouterr().out
