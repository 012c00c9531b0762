"""The elements of a list, each once and as soon as it is whole."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from streams import Open, Pieces, both, model_of, pieces_of
from typing_extensions import TypeAliasType

from syncai._schema import result_spec
from syncai.agent import Agent
from syncai.exceptions import ModelRetry, UnexpectedModelBehavior, UserError
from syncai.models.function import DeltaToolCall, FunctionModel
from syncai.testing import ModelServer, Reply, ToolCall


class Row(BaseModel):
    name: str
    tags: list[str] = []


ROWS = [Row(name='a}{', tags=['[', ']']), Row(name='"\\"', tags=['\u00e9\U0001f600', '\\']), Row(name='')]
DUMPED = [row.model_dump() for row in ROWS]

Strings = TypeAliasType('Strings', list[str])


def final(args: Any, *, pieces: int = 8, **options: Any) -> Reply:
    return Reply(tool_calls=[ToolCall('final_result', args, pieces=pieces)], **options)


# --- the types --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'kind',
    [
        list[Row],
        set[int],
        frozenset[int],
        Sequence[int],
        deque[int],
        tuple[int, ...],
        list,
        Annotated[list[int], Field(min_length=1)],
        Strings,
    ],
)
def test_types_that_have_elements(kind: Any) -> None:
    (tool,) = result_spec(kind).tools.values()
    assert tool.arriving().elements is not None


@pytest.mark.parametrize('kind', [Row, int, tuple[int, str], dict[str, int], bytes, Annotated[str, 'x']])
def test_types_that_have_none(kind: Any) -> None:
    (tool,) = result_spec(kind).tools.values()
    assert tool.arriving().elements is None


# --- the runs ---------------------------------------------------------------------------------------------------------


@both
def test_strings(stream_of: Open, model_server: ModelServer) -> None:
    words = ['plain', 'a{b', '[', '"quoted"', '\\', 'é😀', '']
    model_server.reply(final({'response': words}, pieces=40))
    with stream_of(Agent(model_of(model_server), result_type=list[str])) as stream:
        assert list(stream.stream_items()) == words
        assert stream.get_data() == words
        with pytest.raises(UserError, match='already read'):
            next(stream.stream_items())


@both
def test_models_with_braces_and_escapes(stream_of: Open, model_server: ModelServer) -> None:
    text = json.dumps({'response': DUMPED}, ensure_ascii=True)
    model_server.reply(final(text, pieces=len(text) // 3, cut_bytes=7))
    with stream_of(Agent(model_of(model_server), result_type=list[Row])) as stream:
        assert list(stream.stream_items()) == ROWS
        assert stream.get_data() == ROWS


@both
def test_an_element_comes_before_the_next_has_arrived(stream_of: Open, model_server: ModelServer) -> None:
    text = json.dumps({'response': ['first', 'x' * 1000]})
    model_server.reply(final(text, pieces=100, delay_between_events=0.05))
    with stream_of(Agent(model_of(model_server), result_type=list[str])) as stream:
        assert next(stream.stream_items()) == 'first'
        (answer,) = stream.all_messages()[1:]
        assert answer.incomplete
        assert len(answer.parts[0].args) < len(text) // 2


@both
@pytest.mark.parametrize('mode', ['native', 'prompted'])
def test_elements_of_a_whole_answer(stream_of: Open, mode: Any, model_server: ModelServer) -> None:
    texts = pieces_of(json.dumps({'response': DUMPED}), 5)
    if mode == 'prompted':
        texts = ['Here: ``', '`json\n', *texts, '\n```']
    model_server.reply(Reply(*texts))
    with stream_of(Agent(model_of(model_server), result_type=list[Row], result_mode=mode)) as stream:
        assert list(stream.stream_items()) == ROWS


@both
def test_elements_of_one_of_several_lists(stream_of: Open) -> None:
    model = Pieces([('final_result_list_int', '{"response": [1, 2', ', 3]}')]).model
    agent: Agent[None, Any] = Agent(model, result_type=list[str] | list[int])
    with stream_of(agent) as stream:
        assert list(stream.stream_items()) == [1, 2, 3]


@both
def test_a_loop_left_with_break_goes_on(stream_of: Open) -> None:
    model = Pieces([('final_result', '{"response": [1, 2, 3', ', 4, 5]}')]).model
    with stream_of(Agent(model, result_type=list[int])) as stream:
        for item in stream.stream_items():
            if item == 2:
                break
        next(stream.stream(debounce_by=None))
        assert list(stream.stream_items()) == [3, 4, 5]
        assert stream.get_data() == [1, 2, 3, 4, 5]


@both
def test_elements_after_other_ways_to_read(stream_of: Open) -> None:
    model = Pieces([('final_result', '{"response": [1, 2', ', 3]}')]).model
    with stream_of(Agent(model, result_type=list[int])) as stream:
        next(stream.stream(debounce_by=None))
        assert list(stream.stream_items()) == [1, 2, 3], 'from the first one'


@both
@pytest.mark.parametrize('kind', [Row, dict[str, int], Row | str])
def test_a_result_that_is_no_list(stream_of: Open, kind: Any) -> None:
    model = Pieces([('final_result', '{"name": "x"' if kind != dict[str, int] else '{"a": 1', '}')]).model
    with stream_of(Agent(model, result_type=kind)) as stream:
        with pytest.raises(UserError, match=r'stream_items\(\) needs a result that is a list .* result_type=list\[Row'):
            next(stream.stream_items())
        assert stream.get_data()


# --- lists that are not accepted --------------------------------------------------------------------------------------


@both
def test_an_odd_element_before_any_was_given(stream_of: Open) -> None:
    model = Pieces([('final_result', '{"response": ["x", ', '2]}')], [('final_result', '{"response": [1, 2]}')]).model
    with stream_of(Agent(model, result_type=list[int])) as stream:
        assert list(stream.stream_items()) == [1, 2], 'the model was asked again, and nobody noticed'
        assert stream.usage().requests == 2


@both
@pytest.mark.parametrize('second', ['{"response": [7, 8]}', '{"response": []}'])
def test_elements_that_were_given_and_are_not_accepted(stream_of: Open, second: str) -> None:
    model = Pieces([('final_result', '{"response": [1, ', '2, "x"]}')], [('final_result', second)]).model
    with stream_of(Agent(model, result_type=list[int])) as stream:
        given = []
        with pytest.raises(UnexpectedModelBehavior, match=r'gave 2 elements was not accepted .* get_data\(\)'):
            for item in stream.stream_items():
                given.append(item)  # noqa: PERF402 - what came before the error
        assert given == [1, 2]
        with pytest.raises(UnexpectedModelBehavior, match='gave 2 elements'):
            next(stream.stream_items())
        assert stream.get_data() == json.loads(second)['response']


@both
def test_elements_that_a_validator_does_not_accept(stream_of: Open) -> None:
    model = Pieces([('final_result', '{"response": [1, 2]}')], [('final_result', '{"response": [7, 8]}')]).model
    agent = Agent(model, result_type=list[int])

    @agent.result_validator
    def big(numbers: list[int]) -> list[int]:
        if numbers[0] < 5:
            raise ModelRetry('Greater ones')
        return numbers

    with stream_of(agent) as stream:
        with pytest.raises(UnexpectedModelBehavior, match='gave 2 elements'):
            list(stream.stream_items())
        assert stream.get_data() == [7, 8]


@both
def test_a_call_whose_id_comes_late(stream_of: Open) -> None:
    async def answer(messages: object, info: object) -> AsyncIterator[Any]:
        yield {0: DeltaToolCall('final_', None, None)}
        yield {0: DeltaToolCall('result', '{"response": [1, ', None)}
        yield {0: DeltaToolCall(None, '2]}', 'call_late')}

    with stream_of(Agent(FunctionModel(stream_function=answer), result_type=list[int])) as stream:
        assert list(stream.stream_items()) == [1, 2]
        assert stream.all_messages()[-1].parts[0].tool_call_id == 'call_late'


@both
def test_another_call_of_the_answer_is_taken(stream_of: Open) -> None:
    good = ('final_result', '{"response": [7, 8]}')
    agent = Agent(result_type=list[int])
    with stream_of(agent, model=Pieces([('final_result', '{"response": ["x"]}'), good]).model) as stream:
        assert list(stream.stream_items()) == [7, 8]
    with stream_of(agent, model=Pieces([('final_result', '{"response": [1, "x"]}'), good]).model) as stream:
        with pytest.raises(UnexpectedModelBehavior, match='gave 1 element was not accepted'):
            list(stream.stream_items())
        assert stream.get_data() == [7, 8]


@both
def test_an_element_that_only_the_whole_list_makes_valid(stream_of: Open) -> None:
    from pydantic import BeforeValidator

    numbers = Annotated[list[int], BeforeValidator(lambda items: [item or 0 for item in items])]
    model = Pieces([('final_result', '{"response": [1, ', 'null, 3]}')]).model
    with stream_of(Agent(model, result_type=numbers)) as stream:
        assert list(stream.stream_items()) == [1, 0, 3]


@both
def test_lists_in_a_preamble_are_no_result(stream_of: Open) -> None:
    agent = Agent(result_type=list[int], result_mode='native')

    @agent.tool_plain
    def look() -> str:
        return 'looked'

    model = Pieces(['{"response": []}', ('look', '{}')], ['{"response": [1]}']).model
    with stream_of(agent, model=model) as stream:
        assert list(stream.stream_items()) == [1]
