"""How answers end, and what a run makes of it: cut off, withheld, failed, and without anything in them.

The words are those of the providers' documentation: `finish_reason` of
https://platform.openai.com/docs/api-reference/chat/object and https://api-docs.deepseek.com/api/create-chat-completion,
`finishReason` and `finishMessage` of https://ai.google.dev/api/generate-content, `stopReason` of
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from faults import answering, ask, model_of, sent
from pydantic import BaseModel

from syncai import Agent, ModelRequest, model_request_stream_sync
from syncai.exceptions import AgentRunError, ContentFilterError, UnexpectedModelBehavior
from syncai.models.fallback import FallbackModel
from syncai.result import RunResult


class City(BaseModel):
    name: str
    people: int


def chat(content: str | None = None, reason: str | None = 'stop', *calls: tuple[str, str], tokens: int = 3) -> Any:
    called = [{'id': f'c{n}', 'function': {'name': name, 'arguments': args}} for n, (name, args) in enumerate(calls)]
    message = {'role': 'assistant', 'content': content, **({'tool_calls': called} if called else {})}
    usage = {'prompt_tokens': 7, 'completion_tokens': tokens, 'total_tokens': 7 + tokens}
    return {'choices': [{'index': 0, 'message': message, 'finish_reason': reason}], 'usage': usage}


def executed(*tools: Any) -> Any:
    message = {'role': 'assistant', 'content': '', 'executed_tools': list(tools)}
    return {'choices': [{'index': 0, 'message': message, 'finish_reason': 'stop'}]}


def gemini(reason: str | None, *parts: Any, **more: Any) -> Any:
    candidate = {'index': 0, **({'content': {'parts': list(parts)}} if parts else {}), **more}
    return {'candidates': [{**candidate, 'finishReason': reason}] if reason else []}


def run(agent: Agent[Any, Any], streamed: bool, **options: Any) -> Any:
    if not streamed:
        return agent.run_sync('go', **options).data
    with agent.run_stream_sync('go', **options) as stream:
        return stream.get_data()


both_ways = pytest.mark.parametrize('streamed', [False, True], ids=['run_sync', 'run_stream_sync'])


# --- cut off ----------------------------------------------------------------------------------------------------------

CUT: dict[str, tuple[Any, dict[str, Any]]] = {
    'the result, unfinished': (chat(None, 'length', ('final_result', '{"name": "Os')), {'result_type': City}),
    'the result, before its arguments': (chat(None, 'length', ('final_result', '')), {'result_type': City}),
    'the result, by chance whole': (chat(None, 'length', ('final_result', '{"name": "Oslo"}')), {'result_type': City}),
    'a tool, unfinished': (chat(None, 'length', ('look', '{"city": "Os')), {}),
    'a tool, before its arguments': (chat(None, 'length', ('look', '')), {}),
    'a tool, its name': (chat(None, 'length', ('lo', '')), {}),
    'the second of two tools': (chat(None, 'length', ('look', '{"city": "Oslo"}'), ('look', '{"ci')), {}),
    'the first of two tools': (chat(None, 'length', ('look', '{"ci'), ('look', '{"city": "Oslo"}')), {}),
    'native': (chat('{"name": "Os', 'length'), {'result_type': City, 'result_mode': 'native'}),
    'prompted': (chat('```json\n{"name": "Os', 'length'), {'result_type': City, 'result_mode': 'prompted'}),
    'nothing': (chat('', 'length'), {}),
}


@both_ways
@pytest.mark.parametrize('what', CUT)
def test_what_was_cut_off_says_to_raise_max_tokens(what: str, streamed: bool) -> None:
    body, options = CUT[what]
    with answering(body) as server:
        agent = Agent(model_of('chat', server.base_url), retries=3, **options)

        @agent.tool_plain
        def look(city: str) -> str:
            return city

        with pytest.raises(UnexpectedModelBehavior, match='raise max_tokens') as caught:
            run(agent, streamed)
        assert len(server.requests) == 1
    assert caught.value.partial is not None
    assert caught.value.partial.finish_reason == 'length'


WINDOW = {'type': 'message', 'stop_reason': 'model_context_window_exceeded'}


@pytest.mark.parametrize('content', [[], [{'type': 'tool_use', 'id': 't', 'name': 'final_result', 'input': {}}]])
def test_a_full_window_says_what_helps(content: Any) -> None:
    """Source: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons"""
    with answering({**WINDOW, 'content': content}) as server:
        with pytest.raises(UnexpectedModelBehavior, match='shorten the conversation'):
            Agent(model_of('anthropic', server.base_url), result_type=City, retries=3).run_sync('go')
        assert len(server.requests) == 1


def test_the_warning_of_a_full_window(caplog: pytest.LogCaptureFixture) -> None:
    body = {**WINDOW, 'content': [{'type': 'text', 'text': 'Once upon a'}]}
    with answering(body) as server, caplog.at_level(logging.WARNING, 'syncai'):
        assert Agent(model_of('anthropic', server.base_url)).run_sync('go').data == 'Once upon a'
    assert 'the context window of the model was full' in caplog.text
    assert 'raise max_tokens' not in caplog.text


@pytest.mark.parametrize('reason', ['tool_calls', 'stop', None])
def test_servers_that_do_not_say_that_they_cut(reason: str | None) -> None:
    """As vLLM says `tool_calls` of a call that was cut (https://github.com/vllm-project/vllm/issues/53269)."""
    body = chat(None, reason, ('final_result', '{"name": "Os'), tokens=50)
    with answering(body) as server:
        agent = Agent(model_of('chat', server.base_url), result_type=City, model_settings={'max_tokens': 50})
        with pytest.raises(UnexpectedModelBehavior, match='raise max_tokens'):
            agent.run_sync('go')
        assert len(server.requests) == 1


def test_a_call_that_is_not_valid_though_it_is_whole_is_asked_for_again() -> None:
    bodies = [chat(None, 'tool_calls', ('final_result', '{"name": "Os'), tokens=49)]
    bodies.append(chat(None, 'tool_calls', ('final_result', '{"name": "Oslo", "people": 7}')))
    with answering(*bodies) as server:
        agent = Agent(model_of('chat', server.base_url), result_type=City, model_settings={'max_tokens': 50})
        assert agent.run_sync('go').data == City(name='Oslo', people=7)


def test_a_tool_that_asks_again_is_no_sign_of_a_cut() -> None:
    from syncai import ModelRetry

    bodies = [chat(None, 'length', ('look', '{"city": "Oslo"}')), chat('Fine.')]
    with answering(*bodies) as server:
        agent = Agent(model_of('chat', server.base_url))

        @agent.tool_plain
        def look(city: str) -> str:
            raise ModelRetry(f'No such city: {city}')

        assert agent.run_sync('go').data == 'Fine.'


@both_ways
@pytest.mark.parametrize('reason', ['length', 'content_filter'])
def test_a_text_that_was_cut_is_the_result_with_one_warning(
    reason: str, streamed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(chat('Once upon a', reason)) as server, caplog.at_level(logging.WARNING, 'syncai'):
        agent = Agent(model_of('chat', server.base_url), name='teller')
        if streamed:
            with agent.run_stream_sync('go') as stream:
                assert list(stream.stream_text(debounce_by=None)) == ['Once upon a']
                assert stream.response.finish_reason == reason
        else:
            result: RunResult[str] = agent.run_sync('go')
            assert result.data == 'Once upon a'
            assert result.response.finish_reason == reason
    (record,) = (record for record in caplog.records if record.name == 'syncai')
    assert "agent 'teller'" in record.getMessage()
    assert reason in record.getMessage()
    assert ('raise max_tokens' in record.getMessage()) == (reason == 'length')


# --- failed, and withheld ---------------------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize('reason', ['error', 'insufficient_system_resource', 'network_error', 'abort'])
def test_a_text_that_ended_with_an_error_is_no_result(reason: str, streamed: bool) -> None:
    with answering(chat('Once upon a', reason)) as server:
        with pytest.raises(UnexpectedModelBehavior, match=reason) as caught:
            run(Agent(model_of('chat', server.base_url), retries=3), streamed)
        assert len(server.requests) == 1
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'Once upon a'


RESPONSES_TEXT = {'type': 'message', 'content': [{'type': 'output_text', 'text': 'Once upon a'}]}
FAILED_WITH_TEXT: dict[str, tuple[str, Any]] = {
    'chat': ('chat', chat('Once upon a', 'error')),
    'chat, a call': ('chat', chat('Once upon a', 'error', ('look', '{"city": "Oslo"}'))),
    'google': ('google', gemini('OTHER', {'text': 'Once upon a'})),
    'google, malformed': ('google', gemini('MALFORMED_RESPONSE', {'text': 'Once upon a'})),
    'responses': ('responses', {'object': 'response', 'status': 'cancelled', 'output': [RESPONSES_TEXT]}),
}


@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
@pytest.mark.parametrize('what', FAILED_WITH_TEXT)
def test_a_direct_call_raises_as_well_and_keeps_the_text(what: str, streamed: bool) -> None:
    wire, body = FAILED_WITH_TEXT[what]
    with answering(body) as server:
        with pytest.raises(UnexpectedModelBehavior, match='The provider ended the answer with') as caught:
            ask(model_of(wire, server.base_url), streamed)
        assert len(server.requests) == 1
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'Once upon a'
    assert caught.value.partial.finish_reason == 'error'


def test_a_stream_shows_what_came_before_its_error() -> None:
    with answering(chat('Once upon a', 'abort')) as server:
        model = model_of('chat', server.base_url)
        with model_request_stream_sync(model, [ModelRequest.user_text_prompt('go')]) as stream:
            events = iter(stream)
            assert next(events)
            with pytest.raises(UnexpectedModelBehavior, match='abort'):
                list(events)
            assert stream.get().text == 'Once upon a'


def test_another_model_is_asked_after_such_an_answer_where_that_is_wanted() -> None:
    with answering(chat('Once upon a', 'error')) as first, answering(chat('The end.')) as second:
        models = [model_of('chat', server.base_url) for server in (first, second)]
        model = FallbackModel(*models, fallback_on=[UnexpectedModelBehavior])
        assert ask(model, False).text == 'The end.'
        with pytest.raises(UnexpectedModelBehavior, match='The provider ended the answer with'):
            ask(FallbackModel(*models), False)


WITHOUT_CONTENT = [
    ('google', gemini('SAFETY', finishMessage='harm of kind 4'), ContentFilterError, ('SAFETY', 'harm of kind 4')),
    ('google', gemini('OTHER', finishMessage='no luck'), UnexpectedModelBehavior, ('OTHER', 'no luck')),
    ('google', gemini('NEW_REASON'), UnexpectedModelBehavior, ('NEW_REASON',)),
    ('google', gemini('NO_IMAGE', finishMessage='no image'), UnexpectedModelBehavior, ('NO_IMAGE', 'no image')),
    (
        'google',
        {'promptFeedback': {'blockReason': 'OTHER', 'blockReasonMessage': 'not today'}},
        ContentFilterError,
        ('OTHER', 'not today'),
    ),
    ('google', {'usageMetadata': {'promptTokenCount': 3}, 'modelVersion': 'm-7'}, AgentRunError, ('m-7',)),
    ('chat', chat('', 'brand_new'), UnexpectedModelBehavior, ('brand_new',)),
    ('chat', chat('', 'content_filter'), ContentFilterError, ('content_filter',)),
    ('chat', {'choices': []}, UnexpectedModelBehavior, ('choices',)),
    ('responses', {'object': 'response', 'status': 'cancelled', 'output': []}, UnexpectedModelBehavior, ('cancelled',)),
    (
        'responses',
        {'object': 'response', 'status': 'incomplete', 'incomplete_details': {'reason': 'odd'}, 'output': []},
        UnexpectedModelBehavior,
        ('odd',),
    ),
    ('anthropic', {'type': 'message', 'content': [], 'stop_reason': 'odd'}, UnexpectedModelBehavior, ('odd',)),
    ('anthropic', {'type': 'message', 'content': []}, UnexpectedModelBehavior, ('content',)),
    (
        'bedrock',
        {'output': {'message': {'role': 'assistant', 'content': []}}, 'stopReason': 'odd'},
        UnexpectedModelBehavior,
        ('odd',),
    ),
]


@pytest.mark.parametrize(('wire', 'body', 'kind', 'words'), WITHOUT_CONTENT)
@both_ways
def test_an_answer_without_content_says_why(wire: str, body: Any, kind: Any, words: Any, streamed: bool) -> None:
    with answering(body) as server:
        with pytest.raises(kind) as caught:
            run(Agent(model_of(wire, server.base_url), retries=3), streamed)
        assert len(server.requests) == 1
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(('wire', 'body', 'kind', 'words'), [w for w in WITHOUT_CONTENT if w[2] != ContentFilterError])
def test_a_direct_call_gives_no_empty_answer_either(wire: str, body: Any, kind: Any, words: Any) -> None:
    for streamed in (False, True):
        with answering(body) as server, pytest.raises(kind):
            ask(model_of(wire, server.base_url), streamed)


def test_a_stream_of_gemini_without_content_says_why() -> None:
    chunk = json.dumps(gemini('OTHER', finishMessage='no luck')).encode()
    with (
        answering(b'data: %s\r\n\r\n' % chunk, kind='text/event-stream') as server,
        pytest.raises(UnexpectedModelBehavior, match='no luck'),
    ):
        ask(model_of('google', server.base_url), True)


MALFORMED = gemini('MALFORMED_FUNCTION_CALL', finishMessage='Malformed function call: print(look(city="Oslo"))')


@both_ways
def test_a_call_that_gemini_could_not_read_is_asked_for_again(streamed: bool) -> None:
    with answering(MALFORMED, gemini('STOP', {'text': 'Oslo'})) as server:
        assert run(Agent(model_of('google', server.base_url)), streamed) == 'Oslo'
        last = sent(server, 1)['contents'][-1]
    assert last['role'] == 'user'
    said = last['parts'][-1]['text']
    assert 'MALFORMED_FUNCTION_CALL' in said
    assert 'print(look(city="Oslo"))' in said
    assert 'empty' not in said


@both_ways
@pytest.mark.parametrize('part', [{'text': 'Hm.', 'thought': True}, {'text': 'I look it up.'}], ids=['thought', 'text'])
def test_the_same_after_thoughts_or_words(part: Any, streamed: bool) -> None:
    first = gemini('MALFORMED_FUNCTION_CALL', part, finishMessage='print(look())')
    with answering(first, gemini('STOP', {'text': 'Oslo'})) as server:
        assert run(Agent(model_of('google', server.base_url)), streamed).endswith('Oslo')
        assert 'print(look())' in sent(server, 1)['contents'][-1]['parts'][-1]['text']


def test_calls_that_gemini_cannot_read_end_the_run() -> None:
    with answering(MALFORMED) as server:
        with pytest.raises(UnexpectedModelBehavior, match=r'print\(look\(city="Oslo"\)\)') as caught:
            Agent(model_of('google', server.base_url), result_retries=2).run_sync('go')
        assert len(server.requests) == 3
    assert caught.value.messages is not None
    with answering(MALFORMED) as server, pytest.raises(UnexpectedModelBehavior, match='MALFORMED_FUNCTION_CALL'):
        ask(model_of('google', server.base_url), False)


@pytest.mark.parametrize(
    ('wire', 'body', 'kind'),
    [
        ('google', gemini('STOP', {'inlineData': {'mimeType': 'image/png', 'data': 'AAAA'}}), 'inlineData'),
        (
            'responses',
            {'object': 'response', 'status': 'completed', 'output': [{'type': 'image_generation_call', 'id': 'i'}]},
            'image_generation_call',
        ),
        (
            'anthropic',
            {'type': 'message', 'content': [{'type': 'server_tool_use', 'id': 's', 'name': 'f', 'input': {}}]}
            | {'stop_reason': 'end_turn'},
            'server_tool_use',
        ),
        # https://console.groq.com/docs/compound: the tools ran at Groq, and the model has still to say what came of it.
        ('chat', executed({'index': 0, 'type': 'search', 'output': 'Rain.'}), 'executed_tools'),
    ],
    ids=['google', 'responses', 'anthropic', 'groq'],
)
def test_an_answer_of_something_else_than_text_is_not_called_empty(wire: str, body: Any, kind: str) -> None:
    with answering(body) as server:
        with pytest.raises(UnexpectedModelBehavior, match=f'held no text, but {kind}'):
            Agent(model_of(wire, server.base_url)).run_sync('go')
        assert len(server.requests) == 2
        assert b'was empty' not in server.requests[1]
