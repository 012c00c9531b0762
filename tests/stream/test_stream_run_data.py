"""Data as it arrives: partial values, messages to validate, every result mode, and retries."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError, field_validator, model_validator
from streams import Open, Pieces, both, in_sync, model_of, pieces_of
from typing_extensions import TypedDict

from syncai.agent import Agent
from syncai.exceptions import ModelRetry, UnexpectedModelBehavior, UserError
from syncai.messages import ModelRequest, ModelResponse, RetryPromptPart, ToolCallPart
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall


class Profile(TypedDict, total=False):
    name: str
    bio: str


class Box(BaseModel):
    width: int
    height: int


@dataclass
class Success:
    query: str


@dataclass
class Invalid:
    reason: str


BEN = {'name': 'Ben', 'bio': 'Likes chains'}


def final(args: Any, *, pieces: int = 8, name: str = 'final_result') -> Reply:
    return Reply(tool_calls=[ToolCall(name, args, pieces=pieces)], delay_between_events=0.005, usage=(56, 8))


@both
@pytest.mark.parametrize(('kind', 'structured'), [(Profile, True), (str, False)])
def test_a_result_that_is_only_waited_for(
    stream_of: Open, model_server: ModelServer, kind: Any, structured: bool
) -> None:
    model_server.reply(final(BEN) if structured else Reply('Ben'))
    with stream_of(Agent(model_of(model_server), result_type=kind)) as stream:
        assert stream.get_data() == (BEN if structured else 'Ben')
        assert stream.is_structured is structured
    assert stream.is_structured is structured


@both
def test_a_profile_that_grows(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(final(BEN, pieces=5))
    with stream_of(Agent(model_of(model_server), result_type=Profile)) as stream:
        values = list(stream.stream(debounce_by=None))
        assert stream.is_structured
        assert stream.is_complete
        assert stream.get_data() == BEN
        assert str(stream.cost()) == 'Cost(request_tokens=56, response_tokens=8, total_tokens=64, details=None)'
    assert values[0] == {}
    assert {'name': 'Ben'} in values
    bios = [value.get('bio', '') for value in values]
    assert all(later.startswith(earlier) for earlier, later in pairwise(bios))
    assert any(0 < len(bio) < len('Likes chains') for bio in bios)
    assert values[-2:] == [BEN, BEN], 'the last value comes once more'


@both
def test_models_come_whole(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(final({'width': 1, 'height': 2}))
    with stream_of(Agent(model_of(model_server), result_type=Box)) as stream:
        values = list(stream.stream(debounce_by=None))
    assert set(map(str, values)) == {'width=1 height=2'}
    assert len(values) >= 2, 'what does not validate yet is left out, the last value comes once more'


@both
def test_a_list_that_grows(stream_of: Open) -> None:
    model = Pieces([('final_result', '{"resp', 'onse": [1, ', '2, 3', '4]}')]).model
    with stream_of(Agent(model, result_type=list[int])) as stream:
        assert list(stream.stream(debounce_by=None)) == [[1], [1, 2], [1, 2, 34], [1, 2, 34]]


@both
def test_messages_to_validate(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(final(BEN))
    values = []
    with stream_of(Agent(model_of(model_server), result_type=Profile)) as stream:
        for message, last in stream.stream_structured(debounce_by=None):
            assert isinstance(message, ModelResponse)
            assert message.incomplete is not last
            (call,) = message.parts
            assert isinstance(call, ToolCallPart)
            assert (call.tool_name, call.tool_call_id) == ('final_result', 'call_0')
            values.append((stream.validate_structured_result(message, allow_partial=not last), last))
        assert message == stream.all_messages()[1]
    assert values[-2:] == [(BEN, False), (BEN, True)]
    assert [last for _, last in values].count(True) == 1
    assert {'name': 'Ben'} in [value for value, _ in values]


@both
def test_messages_that_do_not_validate_are_the_callers_to_skip(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(final({'width': 1, 'height': 2}))
    failed, values = 0, []
    with stream_of(Agent(model_of(model_server), result_type=Box)) as stream:
        for message, last in stream.stream_structured(debounce_by=0.01):
            try:
                values.append(stream.validate_structured_result(message, allow_partial=not last))
            except ValidationError:
                failed += 1
    assert failed
    assert values[-1] == Box(width=1, height=2)


@both
def test_a_message_without_data(stream_of: Open) -> None:
    with stream_of(Agent(TestModel(), result_type=Box)) as stream:
        with pytest.raises(UserError, match='no structured result in this message'):
            stream.validate_structured_result(ModelResponse([]))
        with pytest.raises(ValidationError):
            stream.validate_structured_result(ModelResponse([ToolCallPart('final_result', '{}')]))
        assert isinstance(stream.get_data(), Box)


@both
def test_data_is_not_read_as_text(stream_of: Open) -> None:
    with stream_of(Agent(TestModel(), result_type=Box)) as stream:
        for delta in (False, True):
            with pytest.raises(UserError, match='The result is structured data'):
                next(stream.stream_text(delta=delta))
        assert list(stream.stream())[-1] == stream.get_data()


@both
@pytest.mark.parametrize('mode', ['native', 'prompted'])
def test_data_that_is_the_whole_answer(stream_of: Open, mode: Any, model_server: ModelServer) -> None:
    texts = pieces_of(json.dumps(BEN), 12)
    if mode == 'prompted':
        texts = ['Here it is:\n', '``', '`json\n', *texts, '\n```', '\nAnything else?']
    model_server.reply(Reply(*texts, delay_between_events=0.005), Reply(*texts, delay_between_events=0.005))
    agent = Agent(model_of(model_server), result_type=Profile, result_mode=mode)
    with stream_of(agent) as stream:
        values = list(stream.stream(debounce_by=None))
        assert {'name': 'Be'} in values
        assert values[-2:] == [BEN, BEN]
        assert stream.is_structured
    with stream_of(agent) as stream:
        message, last = list(stream.stream_structured(debounce_by=None))[-1]
        assert last
        assert stream.validate_structured_result(message) == BEN


@both
@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ('\ufeff', ''),
        ('Here it is: ', ' Anything else?'),
        ('````json\n', '\n````'),
        ('<think>Perhaps {"name": "Max", "bio": "..."}?</think>\n\n', ''),
        ('<think>Hm.</think>\n```json\n', '\n```\n'),
        ('Of {these} and {} I make ', '.'),
    ],
)
@pytest.mark.parametrize('size', [1, 3, 1000])
def test_what_stands_around_data_in_text(stream_of: Open, before: str, after: str, size: int) -> None:
    text = f'{before}{json.dumps(BEN)}{after}'
    agent = Agent(Pieces(pieces_of(text, size)).model, result_type=Profile, result_mode='prompted')
    with stream_of(agent) as stream:
        values = list(stream.stream(debounce_by=None))
        assert values[-1] == stream.get_data() == BEN
    assert all(is_beginning(value, BEN) for value in values)
    assert size > 1 or {'name': 'B'} in values, 'it grows'


@both
def test_lists_in_text_begin_anew_in_the_fence(stream_of: Open) -> None:
    text = 'Like {"response": [9, 8]}, but:\n```json\n{"response": [1, 2]}\n```'
    agent = Agent(result_type=list[int], result_mode='prompted')
    with stream_of(agent, model=Pieces(pieces_of(text, 1)).model) as stream:
        values = list(stream.stream(debounce_by=None))
    assert [value for value, _ in groupby(values)] == [[], [9], [9, 8], [], [1], [1, 2]]
    with stream_of(agent, model=Pieces(pieces_of(text, 1)).model) as stream:
        with pytest.raises(UnexpectedModelBehavior, match='gave 2 elements was not accepted'):
            list(stream.stream_items())
        assert stream.get_data() == [1, 2]


@both
def test_a_message_is_validated_as_far_as_it_is_certain(stream_of: Open) -> None:
    class Dated(TypedDict, total=False):
        day: date
        number: int

    pieces = pieces_of('{"number": 123, "day": "2026-11-27"}', 1)
    for agent in (
        Agent(Pieces([('final_result', *pieces)]).model, result_type=Dated),
        Agent(Pieces(pieces).model, result_type=Dated, result_mode='native'),
    ):
        with stream_of(agent) as stream:
            states = []
            for message, last in stream.stream_structured(debounce_by=None):
                with suppress(ValidationError):
                    states.append(stream.validate_structured_result(message, allow_partial=not last))
        whole = {'number': 123, 'day': date(2026, 11, 27)}
        assert [state for state, _ in groupby(states)] == [{}, {'number': 123}, whole]


def is_beginning(part: Mapping[str, str], whole: Mapping[str, str]) -> bool:
    return all(whole[key].startswith(value) for key, value in part.items())


@both
def test_one_of_several_kinds(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(final({'reason': 'no table'}, name='final_result_Invalid'))
    agent: Agent[None, Any] = Agent(model_of(model_server), result_type=Success | Invalid)
    with stream_of(agent) as stream:
        assert list(stream.stream(debounce_by=None))[-1] == Invalid('no table')


@both
def test_data_after_text(stream_of: Open) -> None:
    answer: list[Any] = ['Here ', 'you are: ', ('final_result', '{"width": 1, ', '"height": 2}')]
    agent: Agent[None, Any] = Agent(result_type=Box | str)
    with stream_of(agent, model=Pieces(answer).model) as stream:
        values = list(stream.stream(debounce_by=None))
        box = Box(width=1, height=2)
        assert values == ['Here ', 'Here you are: ', box, box]
        assert stream.is_structured
    with stream_of(agent, model=Pieces(answer).model) as stream:
        messages = list(stream.stream_structured(debounce_by=None))
        assert [last for _, last in messages] == [False, False, True], 'none for the text'
        assert all(message.parts[0].content == 'Here you are: ' for message, _ in messages)
        assert [stream.validate_structured_result(message) for message, _ in messages[1:]] == [box, box]
    with stream_of(agent, model=Pieces(answer).model) as stream:
        texts = []
        with pytest.raises(UserError, match='structured data'):
            texts.extend(stream.stream_text(delta=True, debounce_by=None))
        assert ''.join(texts) == 'Here you are: '
        assert stream.get_data() == box


@both
def test_validators_that_do_not_expect_a_part(stream_of: Open, model_server: ModelServer) -> None:
    class Sized(BaseModel):
        width: int
        height: int

        @model_validator(mode='before')
        @classmethod
        def swapped(cls, data: dict[str, int]) -> dict[str, int]:
            return {'width': data['height'], 'height': data['width']}

    model_server.reply(final({'response': [{'width': 1, 'height': 2}, {'width': 3, 'height': 4}]}))
    with stream_of(Agent(model_of(model_server), result_type=list[Sized])) as stream:
        values = list(stream.stream(debounce_by=None))
    assert [len(value) for value in values][-1] == 2
    assert values[-1][0] == Sized(width=1, height=2)


# --- retries ----------------------------------------------------------------------------------------------------------


@both
def test_wrong_data_is_asked_for_again(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(final({'width': 'wide', 'height': 2}), final({'width': 1, 'height': 2}))
    with stream_of(Agent(model_of(model_server), result_type=Box)) as stream:
        values = list(stream.stream(debounce_by=None))
        assert values[-1] == Box(width=1, height=2)
        assert [type(m) for m in stream.new_messages()] == [ModelRequest, ModelResponse] * 2 + [ModelRequest]
        assert isinstance(stream.new_messages()[2].parts[0], RetryPromptPart)
        assert stream.usage().requests == 2
        assert stream.usage().total_tokens == 128


@both
def test_snapshots_begin_anew_after_a_retry(stream_of: Open) -> None:
    model = Pieces([('final_result', '{"name": "B', 'en"}')], [('final_result', '{"name": "A', 'nn"}')]).model
    agent = Agent(model, result_type=Profile)

    @agent.result_validator
    def not_ben(profile: Profile) -> Profile:
        if profile['name'] == 'Ben':
            raise ModelRetry('Somebody else')
        return {**profile, 'bio': 'validated'}

    with stream_of(agent) as stream:
        assert [profile.get('name') for profile in stream.stream(debounce_by=None)] == ['B', 'Ben', 'A', 'Ann', 'Ann']
        assert stream.get_data() == {'name': 'Ann', 'bio': 'validated'}


@both
def test_no_valid_data_at_all(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(final({'width': 'wide'}), final({'width': 'wider'}))
    with stream_of(Agent(model_of(model_server), result_type=Box)) as stream:
        with pytest.raises(UnexpectedModelBehavior, match='no valid result in 2 attempts') as failed:
            list(stream.stream())
        assert failed.value.messages == stream.all_messages()
        assert len(stream.all_messages()) == 4
        for again in (stream.get_data, lambda: list(stream.stream()), lambda: next(stream.stream_structured())):
            with pytest.raises(UnexpectedModelBehavior, match='no valid result in 2 attempts'):
                again()
        assert not stream.is_complete


@both
def test_the_second_result_of_an_answer(stream_of: Open) -> None:
    answer = [('final_result', '{"width": "wide"}'), ('final_result', '{"width": 1, "height": 2}')]
    with stream_of(Agent(Pieces(answer).model, result_type=Box)) as stream:
        assert list(stream.stream()) == [Box(width=1, height=2)]


@both
def test_a_history_that_ends_in_a_result(stream_of: Open) -> None:
    answer = ModelResponse([ToolCallPart('final_result', '{"width": 1, "height": 2}', 'call_1')])
    history = [ModelRequest.user_text_prompt('A box'), answer]
    for way in ('stream', 'stream_structured'):
        with stream_of(Agent(TestModel(), result_type=Box), None, message_history=history) as stream:
            assert stream.is_structured
            (value,) = getattr(stream, way)()
            assert value == (Box(width=1, height=2) if way == 'stream' else (answer, True))
            assert stream.timestamp() == answer.timestamp


def test_partial_data_is_validated_in_the_readers_thread(model_server: ModelServer) -> None:
    threads: list[int] = []

    class Watched(BaseModel):
        name: str

        @field_validator('name')
        @classmethod
        def watch(cls, name: str) -> str:
            threads.append(threading.get_ident())
            return name

    model_server.reply(final({'response': [{'name': 'a'}, {'name': 'b'}]}))
    agent = Agent(model_of(model_server), result_type=list[Watched])

    @agent.result_validator
    def watch_too(data: list[Watched]) -> list[Watched]:
        threads.append(threading.get_ident())
        return data

    with in_sync(agent) as stream:
        list(stream.stream(debounce_by=None))
    assert len(threads) > 3
    assert set(threads) == {threading.get_ident()}
