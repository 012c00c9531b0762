"""Errors that servers distinguish by their words: a conversation that is too long, a model or path that is not known.

The words are those of the servers: of their source (llama.cpp's `server-context.cpp`, vLLM's `input_processor.py`,
sglang's `tokenizer_manager.py`, `validation.rs` of Hugging Face TGI, LiteLLM's `route_llm_request.py` and
`exception_mapping_utils.py`), of their documentation (Cohere, OpenAI, Anthropic), or of reports that quote them
(litellm#21558, #10793, #15968; hermes-agent#65631).
"""

from __future__ import annotations

from typing import Any

import pytest
from refusals import HELLO, MAKERS, ONCE, answered

from syncai import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    BadRequestError,
    ContentFilterError,
    ContextWindowExceeded,
    ModelHTTPError,
    NotFoundError,
    RateLimitError,
)
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

TOO_LONG: dict[str, tuple[int, object]] = {
    'Azure': (
        400,
        'Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 509178 tokens.',
    ),
    'sglang': (400, "The input (9000 tokens) is longer than the model's context length (8192 tokens)."),
    'sglang, with the answer': (
        400,
        "Requested token count exceeds the model's maximum context length of 64000 tokens. You requested a total of "
        '71897 tokens: 7897 tokens from the input messages and 64000 tokens for the completion.',
    ),
    'vLLM': (400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"),
    'vLLM, engine': (400, 'The decoder prompt (length 88049) is longer than the maximum model length of 32768.'),
    'vLLM, with the answer': (
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 "
        'tokens and your request has 1200 input tokens (32000 > 32768 - 1200).',
    ),
    'llama.cpp': (400, 'request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it'),
    'llama.cpp until 2025': (500, 'context shift is disabled'),  # ggml-org/llama.cpp, tools/server
    # https://docs.databricks.com/aws/en/machine-learning/model-serving/foundation-model-limits
    'Databricks': (400, 'BAD_REQUEST: prompt token count (20000) cannot exceed 8191.'),
    'llama.cpp, by its type': (
        400,
        {
            'error': {
                'code': 400,
                'message': 'no',
                'type': 'exceed_context_size_error',
                'n_prompt_tokens': 9,
                'n_ctx': 8,
            }
        },
    ),
    'llama.cpp behind a gateway': (400, {'detail': 'the request exceeds the available context size'}),
    'llama-cpp-python': (400, 'Requested tokens (5000) exceed context window of 4096'),
    'xAI': (
        400,
        {
            'code': 'invalid-argument',
            'error': "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        },
    ),
    'Moonshot': (400, 'Invalid request: Your request exceeded model token limit: 262144 (requested: 291351)'),
    'Together': (
        422,
        'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and '
        '512 `max_new_tokens`',
    ),
    'TGI': (422, 'Input validation error: `inputs` must have less than 4096 tokens. Given: 5000'),
    'LM Studio': (
        400,
        {
            'error': 'Trying to keep the first 6269 tokens when context the overflows. However, the model is loaded '
            'with context length of only 4096 tokens, which is not enough.'
        },
    ),
    'LM Studio, older': (
        400,
        'The number of tokens to keep from the initial prompt is greater than the context length.',
    ),
    'Perplexity': (400, 'The total length of all messages is too long.'),
    'Cohere': (
        400,
        {'message': 'too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.'},
    ),
    'Anthropic': (400, 'prompt is too long: 209303 tokens > 200000 maximum'),
    'Anthropic, with the answer': (
        400,
        'input length and `max_tokens` exceed context limit: 179413 + 32768 > 200000, decrease input length or '
        '`max_tokens` and try again',
    ),
    'Bedrock': (400, 'Input is too long for requested model.'),
    "Bedrock's Nova": (
        400,
        'The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum '
        'length. Please update the input to try again.',
    ),
    'Gemini': (400, 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).'),
    'Vertex AI': (
        400,
        'Unable to submit request because the input token count is 1100000 but model only supports up to 1048576.',
    ),
    'Groq': (400, 'Please reduce the length of the messages or completion.'),
    'Mistral': (400, 'Prompt contains 40000 tokens, too large for model with 32768 maximum context length'),
    'OpenRouter': (400, "This endpoint's maximum context length is 131072 tokens. However, you requested about 200000"),
    'Ollama': (400, 'prompt too long; exceeded max context length by 4 tokens'),
    'MiniMax': (400, 'invalid params, context window exceeds limit (2013)'),
    'Alibaba': (400, 'Range of input length should be [1, 258048]'),
    'Z.ai': (400, {'error': {'code': '1261', 'message': 'Prompt exceeds max length'}}),
    'Zhipu': (400, {'error': {'code': '1261', 'message': 'Prompt 超长'}}),
    'Volcengine': (400, 'Total tokens of image and text exceed max message tokens.'),
    'Cloudflare': (
        400,
        'The estimated number of input and maximum output tokens (9000) exceeded this model context window limit',
    ),
    'SiliconFlow': (400, 'length of prompt_tokens (163280) must be less than max_seq_len (32768).'),
    'GitHub Models': (413, {'error': {'code': 'tokens_limit_reached', 'message': 'Request body too large'}}),
    'GitHub Copilot': (400, 'prompt token count of 391491 exceeds the limit of 128000'),
    'LiteLLM': (400, 'litellm.ContextWindowExceededError: litellm.BadRequestError: too much'),
    'a gateway that answers in plain text': (400, 'plain:prompt is too long: 209303 tokens > 200000 maximum'),
    'a gateway that says it with 500': (500, "This model's maximum context length is 8192 tokens."),
    'OpenAI, one message': (
        400,
        {
            'error': {
                'message': "Invalid 'messages[0].content': string too long. Expected a string with maximum length "
                '1048576',
                'type': 'invalid_request_error',
                'param': 'messages[0].content',
                'code': 'string_above_max_length',
            }
        },
    ),
}
OTHERS: dict[str, tuple[int, object, type[ModelHTTPError]]] = {
    'too many generated tokens': (
        400,
        'max_tokens is too large: 99999. This model supports at most 16384 completion tokens',
        BadRequestError,
    ),
    'too many generated tokens, Cohere': (
        400,
        {'message': 'too many tokens: max tokens must be less than or equal to 4096, the maximum output for the model'},
        BadRequestError,
    ),
    'too many generated tokens, Groq': (
        400,
        '`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the '
        '`context_window` for this model',
        BadRequestError,
    ),
    'too many generated tokens, Anthropic': (
        400,
        'max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet',
        BadRequestError,
    ),
    'too many generated tokens, Bedrock': (
        400,
        'The maximum tokens you requested exceeds the model limit of 10000. Try again with a maximum tokens value that '
        'is lower than 10000.',
        BadRequestError,
    ),
    'an unknown parameter': (400, "Unknown parameter: 'context_window'", BadRequestError),
    'a name that is too long': (
        400,
        {
            'error': {
                'message': "Invalid 'tools[0].function.name': string too long. Expected a string with maximum "
                'length 64',
                'param': 'tools[0].function.name',
                'code': 'string_above_max_length',
            }
        },
        BadRequestError,
    ),
    'tokens per minute': (
        429,
        'Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000. The input or output '
        'tokens must be reduced in order to run successfully.',
        RateLimitError,
    ),
    'tokens per minute, Groq': (
        413,
        {
            'error': {
                'message': 'Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 12000, '
                'please reduce your message size and try again.',
                'type': 'tokens',
                'code': 'rate_limit_exceeded',
            }
        },
        BadRequestError,
    ),
}


@pytest.mark.many(7)
@pytest.mark.parametrize('case', TOO_LONG)
def test_a_conversation_that_is_too_long(case: str) -> None:
    error = answered('chat', *TOO_LONG[case])
    assert isinstance(error, ContextWindowExceeded), error
    assert 'shorten it' in str(error)


@pytest.mark.many(7)
@pytest.mark.parametrize('maker', [name for name in MAKERS if name != 'chat'])
@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize('case', ['Anthropic', 'vLLM', 'Gemini', 'LiteLLM', 'a gateway that answers in plain text'])
def test_gateways_pass_the_words_on_in_every_format(maker: str, stream: bool, case: str) -> None:
    assert isinstance(answered(maker, *TOO_LONG[case], stream=stream), ContextWindowExceeded)


@pytest.mark.many(5)
@pytest.mark.parametrize('case', OTHERS)
@pytest.mark.parametrize('maker', ['chat', 'anthropic', 'bedrock', 'google'])
def test_what_is_not_too_long(maker: str, case: str) -> None:
    status, body, kind = OTHERS[case]
    error = answered(maker, status, body)
    assert isinstance(error, kind), error
    assert not isinstance(error, ContextWindowExceeded)


UNKNOWN_MODELS: dict[str, object] = {
    'LiteLLM': {
        'error': {
            'message': "{'error': '/chat/completions: Invalid model name passed in model=some-model. Call `/v1/models` "
            "to view available models for your key.'}",
            'type': 'None',
            'param': 'None',
            'code': '400',
        }
    },
    'LiteLLM, as FastAPI shows it': {'detail': {'error': '/messages: Invalid model name passed in model=some-model'}},
    'OpenAI Responses, Hugging Face': {
        'error': {
            'message': "The requested model 'some-model' does not exist.",
            'type': 'invalid_request_error',
            'param': 'model',
            'code': 'model_not_found',
        }
    },
    'OpenRouter': {'error': {'message': 'some-model is not a valid model ID', 'code': 400}},
    'Mistral': {'object': 'error', 'message': 'Invalid model: some-model', 'type': 'invalid_model', 'code': '1500'},
    'DeepSeek': {
        'error': {'message': 'Model Not Exist', 'type': 'invalid_request_error', 'code': 'invalid_request_error'}
    },
}


@pytest.mark.many(5)
@pytest.mark.parametrize('maker', MAKERS)
@pytest.mark.parametrize('case', UNKNOWN_MODELS)
def test_a_model_that_is_not_known_whatever_the_status(maker: str, case: str) -> None:
    error = answered(maker, 400, UNKNOWN_MODELS[case])
    assert isinstance(error, NotFoundError), error
    assert error.status_code == 400


def test_a_model_that_is_not_known_with_its_nearest_names() -> None:
    body = UNKNOWN_MODELS['OpenAI Responses, Hugging Face']
    with ModelServer(lambda request: Reply(status=400, body=body)) as server:
        model = OpenAIResponsesModel('gpt-5.4-mni', base_url=server.base_url, http=ONCE)
        with pytest.raises(NotFoundError, match=r'Did you mean .*gpt-5\.4-mini'):
            model_request_sync(model, HELLO)


@pytest.mark.parametrize(
    ('maker', 'endpoint'),
    [
        ('chat', 'POST /v1/chat/completions'),
        ('responses', 'POST /v1/responses'),
        ('anthropic', 'POST /v1/messages'),
        ('google', 'POST /v1/models/gemini-2.5-flash:generateContent'),
    ],
)
def test_a_404_that_names_no_model_shows_the_path_and_base_url(maker: str, endpoint: str) -> None:
    error = answered(maker, 404, {'detail': 'Not Found'})
    assert isinstance(error, NotFoundError)
    assert error.endpoint == endpoint
    assert endpoint in str(error)
    assert 'base_url (http://127.0.0.1:' in str(error)


@pytest.mark.parametrize('maker', ['chat', 'anthropic', 'google'])
def test_a_405_is_an_address_that_is_not_that_of_an_api(maker: str) -> None:
    error = answered(maker, 405, 'plain:Method Not Allowed')
    assert isinstance(error, ModelHTTPError)
    assert f'{error.endpoint} is not known' in str(error)
    assert 'base_url (http://127.0.0.1:' in str(error)


def test_a_404_that_names_the_model_is_about_the_model() -> None:
    error = answered('chat', 404, "The model 'some-model' does not exist or you do not have access to it.")
    assert "'some-model' a model of this server?" in str(error)
    assert 'base_url' not in str(error)


def test_litellm_refuses_by_the_filter_of_the_provider_behind_it() -> None:
    """As `litellm.exceptions.ContentPolicyViolationError` is shown by its proxy."""
    words = 'litellm.ContentPolicyViolationError: litellm.BadRequestError: AzureException - The response was filtered'
    assert isinstance(answered('chat', 400, words), ContentFilterError)


def test_a_pause_that_is_too_long_to_wait_for_is_said() -> None:
    asked: list[Any] = []

    def refuse(request: object) -> Reply:
        asked.append(request)
        return Reply(status=429, headers={'retry-after': '120'}, body={'error': {'message': 'later'}})

    with ModelServer(refuse) as server:
        model = OpenAIChatModel('some-model', base_url=server.base_url, http=HttpOptions(max_retry_wait=60))
        with pytest.raises(RateLimitError, match=r'pause of 120 s.*HttpOptions\.max_retry_wait allows 60 s') as caught:
            model_request_sync(model, HELLO)
    assert (len(asked), caught.value.retry_after) == (1, 120.0)


@pytest.mark.parametrize('stream', [False, True])
def test_words_that_groq_took_for_a_failed_call_are_the_answer(stream: bool) -> None:
    """https://console.groq.com/docs/tool-use: `failed_generation` is what the model wrote."""
    body = {
        'error': {
            'message': 'Tool choice is required, but model did not call a tool',
            'type': 'invalid_request_error',
            'code': 'tool_use_failed',
            'failed_generation': 'It is sunny in Paris.',
        }
    }
    with ModelServer(lambda request: Reply(status=400, body=body)) as server:
        model = OpenAIChatModel('some-model', provider='groq', base_url=server.base_url, http=ONCE)
        if stream:
            with model_request_stream_sync(model, HELLO) as events:
                list(events)
                answer = events.get()
        else:
            answer = model_request_sync(model, HELLO)
    assert answer.text == 'It is sunny in Paris.'
    assert (answer.finish_reason, answer.provider_finish_reason) == ('stop', 'tool_use_failed')


@pytest.mark.parametrize('written', ['', '<function=search [...]>', '<tool_call>\n{"name": "x", "argu', '{"name": "x'])
def test_a_failed_call_that_cannot_be_read_is_no_answer(written: str) -> None:
    body = {'error': {'message': 'Failed to call a function.', 'code': 'tool_use_failed', 'failed_generation': written}}
    error = answered('chat', 400, body)
    assert isinstance(error, BadRequestError), error


@pytest.mark.parametrize('stream', [False, True])
def test_an_answer_of_bedrock_has_the_id_of_its_request(stream: bool) -> None:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html: the body has no id."""
    with ModelServer(lambda request: Reply('Hello')) as server:
        model = MAKERS['bedrock'](server.base_url)
        if stream:
            with model_request_stream_sync(model, HELLO) as events:
                list(events)
                answer = events.get()
        else:
            answer = model_request_sync(model, HELLO)
    assert answer.provider_response_id == 'req-0'  # as the server says in a header
