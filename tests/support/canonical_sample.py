"""Prints the canonical bytes of a request and of a value that hold one of everything; needs no package but syncai."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID, uuid4

from syncai._canonical import canonical_bytes, canonical_request, canonical_value
from syncai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from syncai.parameters import ModelRequestParameters, ResultSchema, ToolDefinition
from syncai.usage import Usage


class Colour(Enum):
    RED = 'red'


@dataclass
class Point:
    x: float
    tags: frozenset[str]


def shuffled(items: dict[str, object]) -> dict[str, object]:
    pairs = list(items.items())
    random.shuffle(pairs)
    return dict(pairs)


def request() -> bytes:
    call, other = f'call_{uuid4()}', f'call_{uuid4()}'
    content: list[UserContent] = [
        'look',
        ImageUrl('https://host.example/a.png'),
        BinaryContent(b'%PDF-1.7', 'application/pdf'),
    ]
    messages: list[ModelMessage] = [
        ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart(content)], instructions='Answer.'),
        ModelResponse(
            [
                ThinkingPart('hm', signature=str(uuid4())),
                TextPart('I see'),
                ToolCallPart('add', shuffled({'a': 1, 'b': 2.5}), call),
                ToolCallPart('add', shuffled({'a': 1, 'b': 2.5}), other),
            ],
            usage=Usage(request_tokens=random.randrange(100)),
            provider_response_id=str(uuid4()),
        ),
        ModelRequest(
            [ToolReturnPart('add', Point(3.5, frozenset('xyzuvw')), call), ToolReturnPart('add', {1: 'one'}, other)]
        ),
    ]
    schema = shuffled({'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'required': ['a', 'b']})
    parameters = ModelRequestParameters(
        function_tools=[ToolDefinition(name='add', description='Adds.', parameters_json_schema=schema)],
        result_schema=ResultSchema(name='answer', schema=schema),
    )
    settings = shuffled({'temperature': 1.0, 'max_tokens': 5, 'logit_bias': {'7': 1, '8': -1}, 'openai_user': 'x'})
    return canonical_request('openai', 'gpt-4o', messages, settings, parameters).data


def value() -> bytes:
    row = shuffled(
        {
            'words': {'a', 'b', 'c', 'd', 'e', 'f'},
            'points': {Colour.RED, 'green', 1, 2.5, None},
            'point': Point(-0.0, frozenset('xyzuvw')),
            'when': [datetime(2026, 1, 1, 5, tzinfo=timezone(timedelta(hours=5))), datetime(2026, 1, 1, tzinfo=UTC)],
            'more': [date(2026, 1, 1), timedelta(seconds=90.5), Decimal('1.50'), UUID(int=7), 1e16, 1e-7, 10**20],
            'text': 'e\u0301 \u00e9 \r\n \ud83d',
            'bytes': b'\x00\xff',
        }
    )
    return canonical_bytes(canonical_value(row))


if __name__ == '__main__':
    if 'int' in sys.argv:  # an int in a key of a dict needs pydantic
        sys.stdout.buffer.write(request() + b'\n')
    sys.stdout.buffer.write(value())
