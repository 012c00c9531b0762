"""Thoughts that a model writes into its text, and the forms in which providers want thoughts back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncai.agent import Agent
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import UnexpectedModelBehavior, UserError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from syncai.models import ModelRequestParameters
from syncai.models._catalog.providers import PROVIDERS, for_model
from syncai.models._chat.request import chat_request
from syncai.models._chat.response import ChatStreamDecoder
from syncai.models._chat.tags import TaggedText, ThinkingTags, split_thoughts
from syncai.models._http.parts import PartsBuilder
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall

ASK: list[ModelMessage] = [ModelRequest.user_text_prompt('go')]
EARLY, LATE = ThinkingTags(), ThinkingTags(late=True)

# What models write: DeepSeek R1 and Qwen3 begin with a line of their own, and their later templates write the opening
# tag, so that the answer has only the closing one (https://docs.vllm.ai/en/latest/features/reasoning_outputs.html).
TEXTS: list[tuple[ThinkingTags, str, tuple[str, str]]] = [
    (EARLY, '<think>\nEasy.\n</think>\n\nParis', ('Easy.', 'Paris')),
    (EARLY, ' \n<think>Easy.</think>Paris', ('Easy.', 'Paris')),
    (EARLY, '<think>\n\n</think>\n\nParis', ('', 'Paris')),
    (EARLY, '<think>a</think>\n<think>b</think>Paris', ('a\n\nb', 'Paris')),
    (EARLY, '<think>Easy. 1 < 2 </', ('Easy. 1 < 2 </', '')),
    (EARLY, '<think>Easy.</think>', ('Easy.', '')),
    (EARLY, 'Write <think> and </think> in HTML.', ('', 'Write <think> and </think> in HTML.')),
    (EARLY, 'Easy.\n</think>\n\nParis', ('Easy.', 'Paris')),
    (EARLY, 'Easy.</think>', ('Easy.', '')),
    (EARLY, 'Write `</think>` last.', ('', 'Write `</think>` last.')),
    (EARLY, '<think>a</think>b\n</think>\nc', ('a', 'b\n</think>\nc')),
    (EARLY, '  Paris <thin', ('', '  Paris <thin')),
    (EARLY, '<thinker>', ('', '<thinker>')),
    (EARLY, '<', ('', '<')),
    (LATE, '<think>Easy.</think>Paris </think>', ('Easy.', 'Paris </think>')),
    (LATE, 'Easy.\n</think>\n\nParis', ('Easy.', 'Paris')),
    (LATE, 'Easy.</think>Paris', ('Easy.', 'Paris')),
    (LATE, 'Is it "Paris"</think>Paris', ('Is it "Paris"', 'Paris')),
    (LATE, 'Easy. </think>\nParis', ('Easy.', 'Paris')),
    (LATE, 'Easy.</think>', ('Easy.', '')),
    (LATE, '</think>\n\nParis', ('', 'Paris')),
    (LATE, 'Write `</think>` last.', ('', 'Write `</think>` last.')),
    (LATE, 'Write </think> last.', ('', 'Write </think> last.')),
    (LATE, 'Write `</think>`!\n</think>\nDone', ('Write `</think>`!', 'Done')),
    (LATE, 'Write <think> and then\n</think>', ('', 'Write <think> and then\n</think>')),
    (LATE, 'a < b and c </ d', ('', 'a < b and c </ d')),
    (LATE, '', ('', '')),
    (ThinkingTags('', '</think>'), 'Easy.\n</think>\n\nParis', ('Easy.', 'Paris')),
    (ThinkingTags('', '</think>'), ' Easy', ('Easy', '')),
    (ThinkingTags('[THINK]', '[/THINK]'), '[THINK]Easy.[/THINK]Paris', ('Easy.', 'Paris')),
]


@pytest.mark.many(5)
@pytest.mark.parametrize(('tags', 'text', 'expected'), TEXTS, ids=[text for _, text, _ in TEXTS])
def test_a_text_is_split_whole_and_in_every_way_that_it_may_be_cut(
    tags: ThinkingTags, text: str, expected: tuple[str, str]
) -> None:
    assert split_thoughts(text, tags) == expected
    cuts = [[text[:i], text[i:j], text[j:]] for i in range(len(text)) for j in range(i, len(text))] + [list(text)]
    for pieces in cuts:
        builder = PartsBuilder()
        decoder = ChatStreamDecoder(builder, 'vllm', 'm', tags)
        events: list[Any] = []
        decoder.feed([*(chunk(content=piece) for piece in pieces), chunk('stop'), '[DONE]'], events)
        response = ModelResponse(builder.parts())
        assert (response.thinking, response.text) == expected, pieces
        assert parts_of(events) == builder.parts(), pieces


def chunk(reason: str | None = None, **delta: Any) -> str:
    return json.dumps({'model': 'm', 'choices': [{'index': 0, 'delta': delta, 'finish_reason': reason}]})


def parts_of(events: list[Any]) -> list[Any]:
    """The answer that a reader of the events has at their end."""
    parts: dict[int, Any] = {}
    for event in events:
        if isinstance(event, PartStartEvent):
            parts[event.index] = event.part
        else:
            assert isinstance(event, PartDeltaEvent)
            parts[event.index] = event.delta.apply(parts[event.index])
    return [parts[index] for index in sorted(parts)]


def test_a_text_without_tags_is_not_held_back_nor_looked_at_again() -> None:
    text = TaggedText(EARLY, late=False)
    assert text.feed('Par') == [('text', 'Par')]
    assert text.plain
    late = TaggedText(LATE, late=True)
    assert [*late.feed('Par'), *late.feed('is')] == [('text', 'Par'), ('text', 'is')]


def streamed(*chunks: str, tags: ThinkingTags = LATE) -> list[Any]:
    builder = PartsBuilder()
    ChatStreamDecoder(builder, 'vllm', 'm', tags).feed([*chunks, '[DONE]'], [])
    return builder.parts()


def test_a_server_with_a_parser_is_left_alone() -> None:
    thought = ThinkingPart('Easy.', provider_name='vllm')
    assert streamed(chunk(reasoning='Easy.'), chunk(content='Is\n</think>\nit')) == [
        thought,
        TextPart('Is\n</think>\nit'),
    ]
    # `--reasoning-format deepseek-legacy` of llama.cpp says them in both places.
    legacy = [chunk(reasoning_content='Easy.'), chunk(content='<think>Easy.'), chunk(content='</think>Paris')]
    assert streamed(*legacy) == [thought, TextPart('Paris')]


def test_what_is_held_back_comes_before_a_call() -> None:
    call = {'index': 0, 'id': 'c', 'function': {'name': 'f', 'arguments': '{}'}}
    parts = streamed(chunk(content='a <'), chunk(tool_calls=[call]))
    assert parts == [TextPart('a <'), ToolCallPart('f', '{}', 'c')]


@pytest.mark.parametrize('provider', ['groq', 'huggingface', 'llamacpp', 'lmstudio', 'ollama', 'openai', 'vllm'])
def test_the_rows_whose_models_write_tags(provider: str, model_server: ModelServer) -> None:
    text = '<think>\nEasy.\n</think>\n\nParis'
    model_server.reply(*[Reply(*text), Reply(text)] * 2)
    model = OpenAIChatModel('m', provider=provider, base_url=model_server.base_url, api_key='k')
    plain = OpenAIChatModel('m', provider=provider, base_url=model_server.base_url, api_key='k', thinking_tags=False)
    for one, expected in ((model, ('Easy.', 'Paris')), (plain, ('', text))):
        with model_request_stream_sync(one, ASK) as stream:
            list(stream)
            response = stream.get()
        assert (response.thinking, response.text) == expected
        response = model_request_sync(one, ASK)
        assert (response.thinking, response.text) == expected


def test_openai_itself_writes_none_unless_asked() -> None:
    assert OpenAIChatModel('gpt-5.4-mini', api_key='k')._tags is None
    assert OpenAIChatModel('gpt-5.4-mini', api_key='k', thinking_tags=True)._tags == LATE
    tags = OpenAIChatModel('m', api_key='k', thinking_tags=('[THINK]', '[/THINK]'))._tags
    assert tags == ThinkingTags('[THINK]', '[/THINK]', late=True)
    for wrong in ('<think>', ('<think>',), ('<think>', ''), (None, '</think>')):
        with pytest.raises(UserError, match='thinking_tags must be'):
            OpenAIChatModel('m', api_key='k', thinking_tags=wrong)  # type: ignore[arg-type]


def test_a_run_goes_on_when_text_turns_out_to_be_thoughts(model_server: ModelServer) -> None:
    pieces = ['Easy.', '\n</think>', '\n\nPa', 'ris']
    model_server.reply(*[Reply(*pieces)] * 3)
    agent = Agent(OpenAIChatModel('m', provider='vllm', base_url=model_server.base_url))
    with agent.run_stream_sync('go') as stream:
        assert list(stream.stream_text(debounce_by=None))[-1] == 'Paris'
        assert stream.get_data() == 'Paris'
    with agent.run_stream_sync('go') as stream:
        assert ''.join(stream.stream_text(delta=True, debounce_by=None)).endswith('Paris')
    model = OpenAIChatModel('m', provider='vllm', base_url=model_server.base_url, thinking_tags=('', '</think>'))
    with Agent(model).run_stream_sync('go') as stream:
        assert ''.join(stream.stream_text(delta=True, debounce_by=None)) == 'Paris'


def test_thoughts_alone_are_asked_about_and_named(model_server: ModelServer) -> None:
    model_server.reply(*[Reply('<think>Easy.</think>')] * 2)
    agent = Agent(
        OpenAIChatModel('m', provider='vllm', base_url=model_server.base_url, http=HttpOptions(max_retries=0)),
        result_retries=1,
    )
    with pytest.raises(UnexpectedModelBehavior, match='thoughts and no text'):
        agent.run_sync('go')
    sent = model_server.requests[-1].json['messages']
    assert all(message.get('content') for message in sent)


# --- thoughts that go back --------------------------------------------------------------------------------------------

THOUGHT: list[ModelMessage] = [
    *ASK,
    ModelResponse([ThinkingPart('Easy.'), TextPart('Paris')]),
    ModelRequest.user_text_prompt('sure?'),
]
CALLED: list[ModelMessage] = [
    *ASK,
    ModelResponse([ThinkingPart('Easy.'), ToolCallPart('f', {}, 'c')]),
    ModelRequest([ToolReturnPart('f', 'x', 'c')]),
]


def sent_back(provider: str, model: str, messages: list[ModelMessage], own: str | None = None) -> dict[str, Any]:
    messages = [
        ModelResponse(message.parts, provider_name=own or provider) if isinstance(message, ModelResponse) else message
        for message in messages
    ]
    body = chat_request(
        model, for_model(PROVIDERS[provider], model), messages, {}, ModelRequestParameters(), stream=False
    )
    return next(message for message in body['messages'] if message['role'] == 'assistant')


@pytest.mark.parametrize(
    ('model', 'fields', 'of_call'),
    [
        # https://inference-docs.cerebras.ai/capabilities/reasoning
        ('cerebras:gpt-oss-120b', {'content': 'Easy.Paris'}, {'content': 'Easy.'}),
        ('cerebras:zai-glm-4.7', {'content': '<think>Easy.</think>Paris'}, {'content': '<think>Easy.</think>'}),
        # https://console.groq.com/docs/api-reference, `reasoning` of an assistant's message
        ('groq:qwen/qwen3.8-27b', {'content': 'Paris', 'reasoning': 'Easy.'}, {'content': None, 'reasoning': 'Easy.'}),
        # https://docs.z.ai/guides/capabilities/thinking-mode
        (
            'zai:glm-5.2',
            {'content': 'Paris', 'reasoning_content': 'Easy.'},
            {'content': None, 'reasoning_content': 'Easy.'},
        ),
        # https://docs.vllm.ai/en/latest/features/interleaved_thinking/
        ('vllm:some', {'content': 'Paris', 'reasoning': 'Easy.'}, {'content': None, 'reasoning': 'Easy.'}),
        # common_chat_msgs_parse_oaicompat in llama.cpp's common/chat.cpp
        (
            'llamacpp:some',
            {'content': 'Paris', 'reasoning_content': 'Easy.'},
            {'content': None, 'reasoning_content': 'Easy.'},
        ),
        ('together:some', {'content': 'Paris'}, {'content': None}),
    ],
)
def test_the_form_that_each_provider_wants(model: str, fields: dict[str, Any], of_call: dict[str, Any]) -> None:
    provider, _, name = model.partition(':')
    assert sent_back(provider, name, THOUGHT) == {'role': 'assistant', **fields}
    written = sent_back(provider, name, CALLED)
    assert written.pop('tool_calls')[0]['id'] == 'c'
    assert written == {'role': 'assistant', **of_call}
    assert sent_back(provider, name, THOUGHT, own='other') == {'role': 'assistant', 'content': 'Paris'}


def test_thoughts_of_tags_go_back_in_a_run_with_tools(model_server: ModelServer) -> None:
    model_server.reply(Reply('<think>Easy.</think>', tool_calls=[ToolCall('look')]), Reply('<think>So.</think>Paris'))
    agent = Agent(OpenAIChatModel('qwen', provider='groq', base_url=model_server.base_url, api_key='k'))
    agent.tool_plain(look)
    assert agent.run_sync('go').data == 'Paris'
    answer = next(m for m in model_server.requests[-1].json['messages'] if m['role'] == 'assistant')
    assert (answer['content'], answer['reasoning']) == (None, 'Easy.')


def look() -> str:
    return 'seen'
