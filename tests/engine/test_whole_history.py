"""Histories that no provider would take are sent as a repaired copy, or are an error that names the message.

What is right is said by the providers' own errors, which `whole_history` quotes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from agent_faces import Ask, Script, both, model_of

from syncai import Agent, UserError, capture_run_messages, model_request_stream_sync, model_request_sync
from syncai._engine.whole_history import NOT_ANSWERED, OPENING, whole_history
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, Reply


def req(*parts: ModelRequestPart | str, instructions: str | None = None) -> ModelRequest:
    return ModelRequest([UserPromptPart(p) if isinstance(p, str) else p for p in parts], instructions=instructions)


def res(*parts: ModelResponsePart | str, incomplete: bool = False) -> ModelResponse:
    return ModelResponse([TextPart(p) if isinstance(p, str) else p for p in parts], incomplete=incomplete)


def call(call_id: str, tool: str = 'look', args: Any = '{}') -> ToolCallPart:
    return ToolCallPart(tool, args, call_id)


def ret(call_id: str, tool: str = 'look', content: Any = 'seen') -> ToolReturnPart:
    return ToolReturnPart(tool, content, call_id)


def retry(call_id: str | None, tool: str | None = 'look') -> RetryPromptPart:
    return RetryPromptPart('bad', tool_name=tool, tool_call_id=call_id)


NO_RETURN = NOT_ANSWERED
ASKED = req('go')
SAID = res('ok')


def sketch(messages: Sequence[ModelMessage]) -> list[list[Any]]:
    """The conversation in short: calls as `id?`, returns as `id=content`, all else as its text."""
    return [[_sketched(part) for part in message.parts] for message in messages]


def _sketched(part: Any) -> str:
    if isinstance(part, ToolCallPart):
        return f'{part.tool_call_id}?'
    if isinstance(part, ToolReturnPart):
        return f'{part.tool_call_id}={part.content}'
    if isinstance(part, RetryPromptPart) and part.tool_name:
        return f'{part.tool_call_id}!'
    return str(part.content)


REPAIRED: dict[str, tuple[list[ModelMessage], list[list[str]], str]] = {
    'a return whose call was cut': (
        [req(ret('a')), SAID],
        [[OPENING], ['ok']],
        "[0]: the return of 'look' ('a') answers no call",
    ),
    'a retry whose call was cut': (
        [req(retry('a'), 'and?'), SAID],
        [['and?'], ['ok']],
        "[0]: the retry prompt of 'look' ('a') answers no call",
    ),
    'a call in the middle': (
        [ASKED, res(call('a')), req('never mind'), SAID],
        [['go'], ['a?'], [f'a={NO_RETURN}', 'never mind'], ['ok']],
        "[1]: the call of 'look' ('a') has no return",
    ),
    'a call before a response': (
        [ASKED, res(call('a')), SAID],
        [['go'], ['a?'], [f'a={NO_RETURN}'], ['ok']],
        "[1]: the call of 'look' ('a') has no return",
    ),
    'a call at the end': (
        [ASKED, res('hm', call('a'))],
        [['go'], ['hm', 'a?'], [f'a={NO_RETURN}']],
        "[1]: the call of 'look' ('a') has no return",
    ),
    'one of two answered': (
        [ASKED, res(call('a'), call('b')), req(ret('b')), SAID],
        [['go'], ['a?', 'b?'], [f'a={NO_RETURN}', 'b=seen'], ['ok']],
        "[1]: the call of 'look' ('a') has no return",
    ),
    'answered twice': (
        [ASKED, res(call('a')), req(ret('a', content='first')), req(ret('a', content='second')), SAID],
        [['go'], ['a?'], ['a=second'], ['ok']],
        "[3]: the return of 'look' ('a') is the second for its call",
    ),
    'a retry and then the return': (
        [ASKED, res(call('a')), req(retry('a'), ret('a')), SAID],
        [['go'], ['a?'], ['a=seen'], ['ok']],
        "[2]: the return of 'look' ('a') is the second for its call",
    ),
    'an id that no call has': (
        [ASKED, res(call('a'), call('b', 'hear')), req(ret('z'), ret('b', 'hear')), SAID],
        [['go'], ['a?', 'b?'], ['a=seen', 'b=seen'], ['ok']],
        "[2]: the return of 'look' ('z') has the id of no call",
    ),
    'an id and a tool that no call has': (
        [ASKED, res(call('a')), req(ret('z', 'hear'), 'more'), SAID],
        [['go'], ['a?'], [f'a={NO_RETURN}', 'more'], ['ok']],
        "[1]: the call of 'look' ('a') has no return",
    ),
    'a return after the next prompt': (
        [ASKED, res(call('a')), req('hm', ret('a')), SAID],
        [['go'], ['a?'], ['a=seen', 'hm'], ['ok']],
        "[2]: the return of 'look' ('a') does not follow its call",
    ),
    'a return after the next response': (
        [ASKED, res(call('a')), req('hm'), SAID, req(ret('a'), 'more'), SAID],
        [['go'], ['a?'], ['a=seen', 'hm'], ['ok'], ['more'], ['ok']],
        "[4]: the return of 'look' ('a') does not follow its call",
    ),
    'a system prompt between call and return': (
        [ASKED, res(call('a')), req(SystemPromptPart('be kind'), ret('a')), SAID],
        [['go'], ['a?'], ['a=seen', 'be kind'], ['ok']],
        "[2]: the return of 'look' ('a') does not follow its call",
    ),
    'a response first': ([SAID, ASKED], [[OPENING], ['ok'], ['go']], '[0]: a response comes before any prompt'),
    'a response after system prompts alone': (
        [req(SystemPromptPart('be kind')), SAID, ASKED],
        [['be kind'], [OPENING], ['ok'], ['go']],
        '[1]: a response comes before any prompt',
    ),
    'an id used again for a later call': (
        [ASKED, res(call('a')), req(ret('a', content='1')), res(call('a')), req('?'), res(call('a')), req(ret('a'))],
        [['go'], ['a?'], ['a=1'], ['a?'], [f'a={NO_RETURN}', '?'], ['a?'], ['a=seen']],
        "[3]: the call of 'look' ('a') has no return",
    ),
    'a call that broke off and was answered all the same': (
        [ASKED, res(call('a'), call('b'), incomplete=True), req(ret('a'), ret('c', 'hear'), 'x'), SAID],
        [['go'], ['a?'], ['a=seen', 'x'], ['ok']],
        "[2]: the return of 'hear' ('c') answers no call",
    ),
}

WHOLE: dict[str, list[ModelMessage]] = {
    'nothing': [],
    'a prompt': [ASKED],
    'calls and returns': [
        req(SystemPromptPart('s'), 'go'),
        res('x', call('a'), call('b')),
        req(ret('b'), ret('a')),
        SAID,
    ],
    'a retry': [ASKED, res(call('a')), req(retry('a'), 'hm'), res(call('a')), req(ret('a'))],
    'a retry of the result': [ASKED, SAID, req(retry(None, None)), SAID],
    'responses in a row': [ASKED, SAID, SAID],
    'prompts in a row': [ASKED, ASKED, SAID],
    'an empty response': [ASKED, ModelResponse([]), req('more')],
    'an incomplete response': [ASKED, res('half', incomplete=True), req('more')],
}


@pytest.mark.parametrize('label', WHOLE)
def test_a_whole_history_is_sent_as_it_is(label: str) -> None:
    history = WHOLE[label]
    assert whole_history(history, name='messages', repair=False) is history


@pytest.mark.parametrize('label', REPAIRED)
def test_a_copy_is_repaired(label: str, caplog: pytest.LogCaptureFixture) -> None:
    history, expected, flaw = REPAIRED[label]
    before = list(history)
    copy = whole_history(history, name='messages', repair=True)
    assert sketch(copy) == expected
    assert history == before
    assert whole_history(copy, name='messages', repair=False) == copy
    [record] = [record.getMessage() for record in caplog.records]
    assert f'messages{flaw}' in record
    assert 'repair_history=False' in record


@pytest.mark.parametrize('label', REPAIRED)
def test_without_repairs_it_is_an_error(label: str) -> None:
    history, _, flaw = REPAIRED[label]
    with pytest.raises(UserError) as caught:
        whole_history(history, name='messages', repair=False)
    assert str(caught.value).startswith(f'messages{flaw}')


@pytest.mark.parametrize(
    ('history', 'expected'),
    [
        ([ASKED, res('half', call('a', args='{"x'), incomplete=True), req('on')], [['go'], ['half'], ['on']]),
        ([ASKED, res(call('a'), incomplete=True), req('on')], [['go'], ['on']]),
        (
            [ASKED, res(call('a'), call('b')), req(ret('a')), req(ret('b'))],
            [['go'], ['a?', 'b?'], ['a=seen', 'b=seen']],
        ),
        ([ASKED, res(call('a'), call('a')), req(ret('a'), ret('a'))], [['go'], ['a?', 'a?'], ['a=seen', 'a=seen']]),
        ([ASKED, res(call('')), req(ret(''))], [['go'], ['call_1_0?'], ['call_1_0=seen']]),
        ([ASKED, res(call('')), req(retry(None))], [['go'], ['call_1_0?'], ['call_1_0!']]),
    ],
)
def test_what_is_put_in_order_without_a_word(
    history: list[ModelMessage], expected: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost or added: a call that broke off was none, and ids and places are for the wire alone."""
    assert sketch(whole_history(history, name='messages', repair=False)) == expected
    assert not caplog.records


def test_instructions_of_a_request_that_is_left_out_are_kept() -> None:
    copy = whole_history([ASKED, SAID, req(ret('a'), instructions='be kind')], name='messages', repair=True)
    assert sketch(copy) == [['go'], ['ok'], []]
    assert copy[-1] == ModelRequest([], instructions='be kind')


@pytest.mark.parametrize('history', [[req(ret('a'))], [ASKED, SAID, req(ret('a'))]])
def test_a_last_message_that_answers_nothing(history: list[ModelMessage]) -> None:
    """There is nothing that the model could be asked."""
    last = len(history) - 1
    with pytest.raises(UserError, match=rf'messages\[{last}\].*answers no call, and nothing else is left to answer'):
        model_request_sync('test', history)
    with pytest.raises(UserError, match='nothing else is left to answer'):
        Agent('test').run_sync(message_history=history)
    assert Agent('test').run_sync('but this', message_history=history).data


def test_the_thoughts_before_a_call_stay() -> None:
    thought = ThinkingPart('hm', signature='s', provider_name='anthropic')
    copy = whole_history([ASKED, res(thought, call('a'), 'and'), req('x')], name='messages', repair=True)
    assert copy[1].parts == [thought, call('a'), TextPart('and')]


# --- where it holds ---------------------------------------------------------------------------------------------------

BROKEN: list[ModelMessage] = [ASKED, res(call('a'), call('b')), req(ret('b')), SAID, req(ret('z', 'gone'))]


@both
def test_a_run_keeps_what_is_stored(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    script = Script('one', 'two')
    agent = Agent(script.model)
    result = ask(agent, 'next', message_history=BROKEN)
    assert sketch(script.asked[0]) == [['go'], ['a?', 'b?'], [f'a={NO_RETURN}', 'b=seen'], ['ok'], ['next']]
    assert result.all_messages()[: len(BROKEN)] == BROKEN
    assert sketch(result.new_messages()) == [['next'], ['one']]
    ask(agent, 'again', message_history=result.all_messages())
    assert sketch(script.asked[1])[-3:] == [['next'], ['one'], ['again']]
    warnings = [record for record in caplog.records if 'not whole' in record.message]
    assert len(warnings) == 2  # one for each run
    assert [record.levelno for record in warnings] == [logging.WARNING] * 2


@both
def test_calls_of_which_only_some_were_answered(ask: Ask) -> None:
    """With a prompt the others are answered for the model, without one they are called; none is called twice."""
    history = [ASKED, res(call('a'), call('b', 'hear'))]
    half = req(ret('a'))
    called = []
    script = Script('ok', 'ok', 'ok')
    agent = Agent(script.model)

    @agent.tool_plain
    def hear() -> str:
        called.append('hear')
        return 'heard'

    @agent.tool_plain
    def look() -> str:
        called.append('look')
        return 'seen again'

    ask(agent, 'x', message_history=[*history, half])
    assert sketch(script.asked[0][2:]) == [['a=seen', f'b={NO_RETURN}'], ['x']]
    assert called == []
    result = ask(agent, message_history=[*history, half])
    assert called == ['hear']
    assert sketch(script.asked[1][2:]) == [['a=seen', 'b=heard']]
    assert sketch(result.all_messages()) == [['go'], ['a?', 'b?'], ['a=seen'], ['b=heard'], ['ok']]
    ask(agent, message_history=[*history, half, req(ret('b', 'hear', 'heard'), 'y')], repair_history=False)
    assert sketch(script.asked[2][2:]) == [['a=seen', 'b=heard'], ['y']]


@both
def test_a_run_that_a_tool_ended_goes_on_with_the_calls_that_have_no_return(ask: Ask) -> None:
    called: list[str] = []
    looked = threading.Event()
    agent = Agent(Script(res(call('a'), call('b', 'hear')), 'done').model)

    @agent.tool_plain
    def look() -> str:
        called.append('look')
        looked.set()
        return 'seen'

    @agent.tool_plain
    def hear() -> str:
        assert looked.wait(30)  # in a coroutine both run at once, in worker threads
        called.append('hear')
        if len(called) == 2:
            raise ConnectionError('The microphone is off.')
        return 'heard'

    with capture_run_messages() as messages, pytest.raises(ConnectionError):
        ask(agent, 'x')
    assert ask(agent, message_history=messages).data == 'done'
    assert called == ['look', 'hear', 'hear']


def test_every_way_to_run_takes_the_option(model_server: ModelServer) -> None:
    agent = Agent(model_of(model_server))
    options: dict[str, Any] = {'message_history': BROKEN, 'repair_history': False}
    ways = (
        lambda: agent.run_sync('x', **options),
        lambda: agent.run_stream_sync('x', **options),
        lambda: agent.run_stream_events_sync('x', **options),
        lambda: list(agent.map_sync(['x'], **options)),
        lambda: agent.submit('x', **options).result(),
        lambda: Agent(model_of(model_server), repair_history=False).run_sync('x', message_history=BROKEN),
        lambda: model_request_sync(model_of(model_server), BROKEN, repair_history=False),
        lambda: model_request_stream_sync(model_of(model_server), BROKEN, repair_history=False),
    )
    for way in ways:
        with pytest.raises(UserError, match=r"\[1\]: the call of 'look' \('a'\) has no return"):
            way()
    assert model_server.requests == []
    with pytest.raises(UserError, match='repair_history must be True or False'):
        agent.run_sync('x', repair_history='no')  # type: ignore[call-overload]
    with pytest.raises(UserError, match='repair_history must be True or False'):
        model_request_sync('test', [ASKED], repair_history=1)  # type: ignore[arg-type]


def test_a_stream_and_a_direct_call_send_the_repaired_copy(model_server: ModelServer) -> None:
    model = model_of(model_server)
    history = [*BROKEN, req('next')]
    model_server.reply(*[Reply('ok')] * 3)
    model_request_sync(model, history)
    with model_request_stream_sync(model, history) as stream:
        assert len(list(stream)) > 0
    with Agent(model).run_stream_sync('next', message_history=BROKEN) as run:
        assert run.get_data() == 'ok'
    roles = [[message['role'] for message in request.json['messages']] for request in model_server.requests]
    assert roles == [['user', 'assistant', 'tool', 'tool', 'assistant', 'user']] * 3


def test_a_conversation_that_the_provider_keeps_may_begin_with_returns(model_server: ModelServer) -> None:
    """The call is in the response that `openai_previous_response_id` names."""
    model_server.reply(Reply('ok'), Reply('ok'))
    settings: Any = {'openai_previous_response_id': 'resp_1'}
    model = OpenAIResponsesModel('gpt-5.4-mini', base_url=model_server.base_url, api_key='k')
    model_request_sync(model, [req(ret('c1'))], model_settings=settings)
    Agent(model).run_sync(message_history=[req(ret('c1'))], model_settings=settings)
    for request in model_server.requests:
        [item] = request.json['input']
        assert (item['type'], item['call_id']) == ('function_call_output', 'c1')


def test_many_flaws_are_one_warning_of_bounded_length(caplog: pytest.LogCaptureFixture) -> None:
    history: list[ModelMessage] = [message for n in range(30) for message in (ASKED, res(call(str(n))))]
    whole_history(history, name='messages', repair=True)
    [record] = caplog.records
    assert record.getMessage().count('has no return') == 5
    assert 'and 25 more' in record.getMessage()
