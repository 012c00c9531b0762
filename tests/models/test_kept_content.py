"""Content beside the answer: it is kept with the answer, and sent back in the form of each provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import UserError
from syncai.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from syncai.models import ModelRequestParameters
from syncai.models._catalog.providers import PROVIDERS
from syncai.models._chat.request import chat_request
from syncai.models._chat.response import ChatStreamDecoder, LogprobsStreamDecoder, chat_response
from syncai.models._google.messages import contents
from syncai.models._google.response import GoogleStreamDecoder, google_response
from syncai.models._http.parts import PartsBuilder
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, Reply

ASK: list[ModelMessage] = [ModelRequest.user_text_prompt('go')]


def whole(message: dict[str, Any], provider: str = 'openrouter', **more: Any) -> ModelResponse:
    choice: dict[str, Any] = {
        'message': {'role': 'assistant', **message},
        'finish_reason': 'stop',
        **more.pop('choice', {}),
    }
    return chat_response({'choices': [choice], **more}, provider, 'm')


def streamed(*deltas: dict[str, Any], provider: str = 'openrouter', **last: Any) -> ModelResponse:
    builder = PartsBuilder()
    chunks: list[dict[str, Any]] = [{'choices': [{'delta': delta, 'finish_reason': None}]} for delta in deltas]
    chunks.append({'choices': [{'delta': {}, 'finish_reason': 'stop'}], **last})
    ChatStreamDecoder(builder, provider, 'm').feed([*map(json.dumps, chunks), '[DONE]'], [])
    return ModelResponse(builder.parts(), provider_name=provider)


def again(response: ModelResponse, provider: str) -> dict[str, Any]:
    """The message as which an answer goes back."""
    returns = [ToolReturnPart(call.tool_name, 'x', call.tool_call_id) for call in response.tool_calls]
    messages = [*ASK, response, ModelRequest([*returns, UserPromptPart('and?')])]
    body = chat_request('m', PROVIDERS[provider], messages, {}, ModelRequestParameters(), stream=False)
    return next(message for message in body['messages'] if message['role'] == 'assistant')


# The example of https://openrouter.ai/docs/guides/features/plugins/web-search.
CITATION = {
    'type': 'url_citation',
    'url_citation': {
        'url': 'https://www.example.com',
        'title': 'Title',
        'content': 'C',
        'start_index': 1,
        'end_index': 9,
    },
}
# https://openrouter.ai/docs/features/multimodal/pdfs: goes back, so that the file is not parsed again.
FILE = {'type': 'file', 'file': {'hash': 'abc', 'name': 'a.pdf', 'content': [{'type': 'text', 'text': 'page'}]}}
IMAGE = {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,AAAA'}}


def test_annotations_of_openrouter_are_kept_and_go_back() -> None:
    for response in (
        whole({'content': 'Paris', 'annotations': [CITATION, FILE]}),
        streamed({'content': 'Par', 'annotations': [CITATION]}, {'content': 'is'}, {'annotations': [FILE]}),
    ):
        (part,) = response.parts
        assert part == TextPart('Paris', provider_details={'annotations': [CITATION, FILE]})
        assert again(response, 'openrouter') == {
            'role': 'assistant',
            'content': 'Paris',
            'annotations': [CITATION, FILE],
        }
        elsewhere = ModelResponse(response.parts, provider_name='other')
        assert again(elsewhere, 'openrouter') == {'role': 'assistant', 'content': 'Paris'}


def test_annotations_of_openai_are_kept_and_stay() -> None:
    # An assistant's message of OpenAI has no such field: https://developers.openai.com/api/docs/api-reference/chat.
    response = whole({'content': 'Paris', 'annotations': [CITATION]}, 'openai')
    assert response.parts == [TextPart('Paris', provider_details={'annotations': [CITATION]})]
    assert again(response, 'openai') == {'role': 'assistant', 'content': 'Paris'}
    assert whole({'content': 'Paris', 'annotations': []}, 'openai').parts == [TextPart('Paris')]


def test_an_image_without_text_is_no_empty_answer() -> None:
    for response in (whole({'content': '', 'images': [IMAGE]}), streamed({'content': ''}, {'images': [IMAGE]})):
        assert response.parts == [ThinkingPart('', provider_name='openrouter', provider_details={'images': [IMAGE]})]
        assert again(response, 'openrouter') == {'role': 'assistant', 'content': '', 'images': [IMAGE]}


# The shape `ExecutedTool` of groq 1.7.0; a stream has the call first, and its output under the same index.
CALL = {'index': 0, 'type': 'python', 'arguments': '{"code": "print(1)"}', 'output': None}
DONE = {**CALL, 'output': '1', 'code_results': [{'text': '1'}]}


def test_the_tools_that_groq_ran_are_kept() -> None:
    other = {'index': 1, 'type': 'search', 'arguments': '{}'}
    for response in (
        whole({'content': '1', 'executed_tools': [DONE, other]}, 'groq'),
        streamed(
            {'executed_tools': [CALL]},
            {'executed_tools': [{'index': 0, 'output': '1', 'code_results': [{'text': '1'}]}, other]},
            {'content': '1'},
            provider='groq',
        ),
    ):
        assert response.parts == [TextPart('1', provider_details={'executed_tools': [DONE, other]})]
        assert again(response, 'groq') == {'role': 'assistant', 'content': '1'}  # its requests have no such field
        assert ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([response])) == [response]


def test_citations_on_top_are_kept() -> None:
    usage = {'prompt_tokens': 1, 'completion_tokens': 1}
    for response in (
        whole({'content': 'x'}, 'xai', citations=['https://example.com']),
        streamed({'content': 'x'}, provider='xai', citations=['https://example.com'], usage=usage),
    ):
        assert response.parts == [TextPart('x', provider_details={'citations': ['https://example.com']})]


def test_references_of_mistral_are_kept() -> None:
    # The type `ReferenceChunk` of mistralai 3.7.0, among the chunks of the content.
    reference = {'type': 'reference', 'reference_ids': [1]}
    content = [{'type': 'text', 'text': 'Paris'}, reference]
    for response in (
        whole({'content': content}, 'mistral'),
        streamed({'content': 'Par'}, {'content': [{'type': 'text', 'text': 'is'}, reference]}, provider='mistral'),
    ):
        assert response.parts == [TextPart('Paris', provider_details={'content_parts': [reference]})]


def test_log_probabilities_of_the_last_token_come_with_the_end() -> None:
    builder = PartsBuilder()
    choice = {'delta': {'content': 'Pa'}, 'logprobs': {'content': TOKENS[:1]}, 'finish_reason': 'stop'}
    LogprobsStreamDecoder(builder, 'vllm', 'm').feed([json.dumps({'choices': [choice]})], [])
    assert builder.parts() == [TextPart('Pa', provider_details={'logprobs': TOKENS[:1]})]


# --- thoughts and signatures behind gateways --------------------------------------------------------------------------

# As in https://docs.litellm.ai/docs/reasoning_content: a stream has the signature in a fragment of its own, behind.
BLOCK = {'type': 'thinking', 'thinking': 'The capital is Paris.', 'signature': 'EqoB'}
REDACTED = {'type': 'redacted_thinking', 'data': 'AAAA'}
FRAGMENT = {'type': 'thinking', 'signature': None}


def test_the_thinking_blocks_of_litellm_go_back() -> None:
    second = {**BLOCK, 'thinking': 'Sure.', 'signature': 'Zz'}
    for response in (
        whole(
            {
                'content': 'Paris',
                'reasoning_content': 'The capital is Paris.Sure.',
                'thinking_blocks': [BLOCK, REDACTED, second],
            },
            'litellm',
        ),
        streamed(
            {'reasoning_content': 'The capital ', 'thinking_blocks': [{**FRAGMENT, 'thinking': 'The capital '}]},
            {'reasoning_content': 'is Paris.', 'thinking_blocks': [{**FRAGMENT, 'thinking': 'is Paris.'}]},
            {'thinking_blocks': [{'type': 'thinking', 'thinking': '', 'signature': 'EqoB'}]},
            {'thinking_blocks': [REDACTED]},
            {'reasoning_content': 'Sure.', 'thinking_blocks': [second]},
            {'content': 'Paris'},
            provider='litellm',
        ),
    ):
        assert (response.thinking, response.text) == ('The capital is Paris.Sure.', 'Paris')
        assert again(response, 'litellm') == {
            'role': 'assistant',
            'content': 'Paris',
            'thinking_blocks': [BLOCK, REDACTED, second],
        }
        assert again(ModelResponse(response.parts, provider_name='x'), 'litellm')['content'] == 'Paris'


def test_thought_signatures_of_calls_go_back() -> None:
    # https://ai.google.dev/gemini-api/docs/openai: Gemini 3 refuses its own calls without them.
    signed = {'extra_content': {'google': {'thought_signature': 'sig'}}}
    call = {'id': 'c', 'type': 'function', 'function': {'name': 'f', 'arguments': '{}'}}
    for response in (
        whole({'content': None, 'tool_calls': [{**call, **signed}]}, 'openai'),
        streamed({'tool_calls': [{'index': 0, **call, **signed}]}, provider='openai'),
    ):
        assert response.tool_calls[0].provider_details == signed
        assert again(response, 'openai')['tool_calls'] == [{**call, **signed}]
        elsewhere = ModelResponse(response.parts, provider_name='other')
        assert again(elsewhere, 'openai')['tool_calls'] == [call]


# --- log probabilities ------------------------------------------------------------------------------------------------

# As in https://developers.openai.com/api/docs/api-reference/chat/object.
TOKENS = [
    {
        'token': 'Pa',
        'logprob': -0.1,
        'bytes': [80, 97],
        'top_logprobs': [{'token': 'Pa', 'logprob': -0.1, 'bytes': None}],
    },
    {'token': 'ris', 'logprob': -0.2, 'bytes': None, 'top_logprobs': []},
]


def logprobs_body(stream: bool) -> Any:
    if not stream:
        choice = {'message': {'content': 'Paris'}, 'logprobs': {'content': TOKENS, 'refusal': None}}
        return {'choices': [{**choice, 'finish_reason': 'stop'}]}
    empty: dict[str, Any] = {'content': [], 'refusal': None}
    choices = [
        {'index': 0, 'delta': {'role': 'assistant', 'content': ''}, 'logprobs': empty, 'finish_reason': None},
        {'index': 0, 'delta': {'content': 'Pa'}, 'logprobs': {'content': TOKENS[:1]}, 'finish_reason': None},
        {'index': 0, 'delta': {'content': 'ris'}, 'logprobs': {'content': TOKENS[1:]}, 'finish_reason': None},
        {'index': 0, 'delta': {}, 'logprobs': None, 'finish_reason': 'stop'},
    ]
    events = [json.dumps({'model': 'm', 'choices': [choice]}) for choice in choices]
    return ''.join(f'data: {event}\n\n' for event in [*events, '[DONE]'])


@pytest.mark.parametrize(
    'settings', [{'openai_logprobs': True, 'openai_top_logprobs': 1}, {'extra_body': {'logprobs': True}}]
)
def test_log_probabilities_are_kept(settings: Any, model_server: ModelServer) -> None:
    expected = [TextPart('Paris', provider_details={'logprobs': TOKENS})]
    model_server.reply(
        Reply(body=logprobs_body(stream=False)),
        Reply(body=logprobs_body(stream=True), content_type='text/event-stream'),
    )
    model = OpenAIChatModel('m', base_url=model_server.base_url, settings=settings)
    response = model_request_sync(model, ASK)
    assert response.parts == expected
    with model_request_stream_sync(model, ASK) as stream:
        list(stream)
        assert stream.get().parts == expected
    assert [request.json['logprobs'] for request in model_server.requests] == [True, True]
    assert 'logprobs' not in again(ModelResponse(expected, provider_name='openai'), 'openai')


def test_log_probabilities_of_responses_are_kept(model_server: ModelServer) -> None:
    # https://developers.openai.com/api/docs/api-reference/responses: with `include`, in the part of the message.
    text = {'type': 'output_text', 'text': 'Paris', 'annotations': [], 'logprobs': TOKENS}
    message = {'type': 'message', 'id': 'm', 'role': 'assistant', 'content': [text]}
    body: dict[str, Any] = {'id': 'r', 'model': 'm', 'status': 'completed', 'output': [message]}
    place: dict[str, Any] = {'item_id': 'm', 'output_index': 0, 'content_index': 0}
    events: list[dict[str, Any]] = [
        {'type': 'response.output_text.delta', **place, 'delta': 'Pa', 'logprobs': TOKENS[:1]},
        {'type': 'response.output_text.delta', **place, 'delta': 'ris', 'logprobs': TOKENS[1:]},
        {'type': 'response.output_item.done', 'output_index': 0, 'item': message},
        {'type': 'response.completed', 'response': body},
    ]
    lines = ''.join(f'event: {event["type"]}\ndata: {json.dumps(event)}\n\n' for event in events)
    model_server.reply(Reply(body=body), Reply(body=lines, content_type='text/event-stream'))
    settings: Any = {'openai_logprobs': True}
    model = OpenAIResponsesModel('m', base_url=model_server.base_url, settings=settings)
    with_id = [TextPart('Paris', provider_details={'id': 'm', 'logprobs': TOKENS})]
    assert model_request_sync(model, ASK).parts == with_id
    with model_request_stream_sync(model, ASK) as stream:
        list(stream)
        assert stream.get().parts == with_id
    assert 'message.output_text.logprobs' in model_server.requests[0].json['include']


def test_log_probabilities_of_other_shapes_are_kept() -> None:
    old = {'tokens': ['Paris'], 'token_logprobs': [-0.1]}
    assert whole({'content': 'Paris'}, choice={'logprobs': old}).parts[0].provider_details == {'logprobs': [old]}
    refusal = {'content': None, 'refusal': TOKENS[:1]}
    response = whole({'content': None, 'refusal': 'Pa'}, choice={'logprobs': refusal})
    assert response.parts == [TextPart('Pa', provider_details={'logprobs': TOKENS[:1]})]


# --- Gemini -----------------------------------------------------------------------------------------------------------

# As in https://ai.google.dev/gemini-api/docs/code-execution and https://ai.google.dev/gemini-api/docs/google-search.
CODE = {'executableCode': {'language': 'PYTHON', 'code': 'print(1)'}, 'thoughtSignature': 'c2ln'}
OUTPUT = {'codeExecutionResult': {'outcome': 'OUTCOME_OK', 'output': '1'}}
PICTURE = {'inlineData': {'mimeType': 'image/png', 'data': 'AAAA'}}
GROUNDING = {
    'webSearchQueries': ['UEFA Euro 2024 winner', 'who won euro 2024'],
    'groundingChunks': [{'web': {'uri': 'https://example.com', 'title': 'example.com'}}],
    'groundingSupports': [{'segment': {'startIndex': 0, 'endIndex': 5}, 'groundingChunkIndices': [0]}],
}
URLS = {'urlMetadata': [{'retrievedUrl': 'https://x', 'urlRetrievalStatus': 'URL_RETRIEVAL_STATUS_SUCCESS'}]}
COUNTS = {'promptTokenCount': 5, 'candidatesTokenCount': 2, 'totalTokenCount': 7}


def gemini(*chunks: dict[str, Any]) -> ModelResponse:
    builder = PartsBuilder()
    decoder = GoogleStreamDecoder(builder, 'google', 'm')
    events: list[Any] = []
    decoder.feed(map(json.dumps, chunks), events)
    assert len({event.index for event in events}) == len(builder.parts())
    return ModelResponse(builder.parts(), usage=decoder.usage, provider_name='google')


def candidate(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {'candidates': [{'content': {'role': 'model', 'parts': list(parts)}, **more}], 'usageMetadata': COUNTS}


def test_code_that_gemini_ran_is_kept_in_its_place_and_goes_back() -> None:
    parts: list[dict[str, Any]] = [{'text': 'Let me run it.'}, CODE, OUTPUT, PICTURE, {'text': 'It is 1.'}]
    whole_one = google_response(candidate(*parts, finishReason='STOP'), 'google', 'm')
    in_pieces = gemini(*(candidate(part) for part in parts), candidate(finishReason='STOP'))
    for response in (whole_one, in_pieces):
        assert response.text == 'Let me run it.It is 1.'
        assert [type(part).__name__ for part in response.parts] == [
            'TextPart',
            'ThinkingPart',
            'ThinkingPart',
            'ThinkingPart',
            'TextPart',
        ]
        written = contents([*ASK, response, ModelRequest.user_text_prompt('and?')], 'google', gemini_3=True)
        assert written[1] == {'role': 'model', 'parts': parts}
        stored = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([response]))
        assert contents([*ASK, *stored], 'google', gemini_3=True)[1] == written[1]
        other = contents([*ASK, ModelResponse(response.parts, provider_name='other')], 'google-vertex', gemini_3=True)
        assert other[1] == {'role': 'model', 'parts': [{'text': 'Let me run it.'}, {'text': 'It is 1.'}]}


def test_what_gemini_looked_at_is_kept_and_its_searches_are_counted() -> None:
    metadata = {'groundingMetadata': GROUNDING, 'urlContextMetadata': URLS}
    whole_one = google_response(candidate({'text': 'Spain'}, finishReason='STOP', **metadata), 'google', 'm')
    in_pieces = gemini(
        candidate({'text': 'Sp'}, urlContextMetadata=URLS),
        candidate({'text': 'ain'}, groundingMetadata=GROUNDING),
        candidate(finishReason='STOP'),
    )
    for response in (whole_one, in_pieces):
        assert response.parts == [TextPart('Spain', provider_details=metadata)]
        assert response.usage.details == {'web_search_requests': 2}
        written = contents([*ASK, response], 'google', gemini_3=True)
        assert written[1] == {'role': 'model', 'parts': [{'text': 'Spain'}]}
    signed = gemini(candidate({'text': 'x', 'thoughtSignature': 's'}, finishReason='STOP', **metadata)).parts[0]
    assert signed == TextPart('x', provider_details={'thought_signatures': [[0, 1, 's']], **metadata})
    without_text = gemini(candidate(CODE, finishReason='STOP', **metadata))
    assert without_text.parts[1] == ThinkingPart('', provider_name='google', provider_details=metadata)
    assert contents([*ASK, without_text], 'google', gemini_3=True)[1]['parts'] == [CODE]


# --- video ------------------------------------------------------------------------------------------------------------


def test_video_goes_to_those_that_take_it() -> None:
    # https://openrouter.ai/docs/features/multimodal/videos: an address or a data URL.
    parts: list[UserContent] = [
        'what?',
        VideoUrl('https://example.com/a.mp4'),
        BinaryContent(b'\0\0\0\x18ftypmp42', 'video/mp4'),
    ]
    messages = [ModelRequest([UserPromptPart(parts)])]
    for provider in ('openrouter', 'vllm', 'zai'):
        body = chat_request('m', PROVIDERS[provider], messages, {}, ModelRequestParameters(), stream=False)
        assert body['messages'][0]['content'] == [
            {'type': 'text', 'text': 'what?'},
            {'type': 'video_url', 'video_url': {'url': 'https://example.com/a.mp4'}},
            {'type': 'video_url', 'video_url': {'url': 'data:video/mp4;base64,AAAAGGZ0eXBtcDQy'}},
        ]
    with pytest.raises(UserError, match='takes no VideoUrl'):
        chat_request('m', PROVIDERS['openai'], messages, {}, ModelRequestParameters(), stream=False)
