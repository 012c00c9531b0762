from __future__ import annotations

from typing import Any

import pytest

from syncai.exceptions import UserError
from syncai.messages import (
    AudioUrl,
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters
from syncai.models._catalog.providers import PROVIDERS
from syncai.models._google.request import google_request

PNG = BinaryContent(b'x', 'image/png')
SOUND = BinaryContent(b'x', 'audio/wav')
URL = ImageUrl('https://x.example/a.png')
PNG_PART = {'inlineData': {'mimeType': 'image/png', 'data': 'eA=='}}
SOUND_PART = {'inlineData': {'mimeType': 'audio/wav', 'data': 'eA=='}}
URL_PART = {'fileData': {'mimeType': 'image/png', 'fileUri': 'https://x.example/a.png'}}


def answered(*returned: Any, model: str = 'gemini-3.7-flash') -> list[dict[str, Any]]:
    """The parts of the turn in which tools returned these, and the user then said something."""
    calls = [ToolCallPart('f', '{}', f'c{number}') for number, _ in enumerate(returned)]
    returns = [ToolReturnPart('f', content, f'c{number}') for number, content in enumerate(returned)]
    messages: list[ModelMessage] = [
        ModelRequest.user_text_prompt('q'),
        ModelResponse(calls),
        ModelRequest([*returns, UserPromptPart('and?')]),
    ]
    body = google_request(model, PROVIDERS['google'], messages, {}, ModelRequestParameters())
    parts: list[dict[str, Any]] = body['contents'][-1]['parts']
    assert parts.pop() == {'text': 'and?'}
    return parts


def answer(output: Any, *files: dict[str, Any]) -> dict[str, Any]:
    inside = {'parts': list(files)} if files else {}
    return {'functionResponse': {'name': 'f', 'response': {'output': output}, **inside}}


def test_gemini_3_takes_images_inside_of_the_answer_and_the_rest_after_all_answers() -> None:
    alone = 'The file is attached.'
    assert answered(PNG) == [answer(alone, PNG_PART)]
    assert answered(['two', PNG, PNG]) == [answer(['two'], PNG_PART, PNG_PART)]
    assert answered(SOUND, (URL, {'a': 1}), PNG) == [
        answer(alone),
        answer([{'a': 1}]),
        answer(alone, PNG_PART),
        SOUND_PART,
        URL_PART,
    ]


def test_models_before_take_every_file_after_the_answers() -> None:
    assert answered(['one', PNG], PNG, model='gemini-2.5-flash') == [
        answer(['one']),
        answer('The file is attached.'),
        PNG_PART,
        PNG_PART,
    ]


@pytest.mark.parametrize('content', [None, 1, 'text', [], [1, [2]], {'file': 'none'}])
def test_what_holds_no_file_is_the_output(content: Any) -> None:
    assert answered(content) == [answer(content)]


def test_a_file_that_gemini_does_not_take() -> None:
    with pytest.raises(UserError, match='application/zip'):
        answered([BinaryContent(b'', 'application/zip')])
    with pytest.raises(UserError, match='media_type_='):
        answered(AudioUrl('https://x.example/what'))
