"""Events of the Responses format as a server sends them, and a decoder that reads them."""

from __future__ import annotations

import json
from typing import Any

from syncai.messages import FinishReason, ModelResponseStreamEvent
from syncai.models._http.parts import PartsBuilder
from syncai.models._responses.response import ResponsesStreamDecoder

OWN = 'openai-responses'


def message(*content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {'type': 'message', 'id': 'msg', 'role': 'assistant', 'content': [*content], **more}


def text(value: str, **more: Any) -> dict[str, Any]:
    return {'type': 'output_text', 'text': value, **more}


class Stream:
    """A decoder that is fed events."""

    def __init__(self) -> None:
        self.builder = PartsBuilder()
        self.decoder = ResponsesStreamDecoder(self.builder, OWN, 'm')
        self.events: list[ModelResponseStreamEvent] = []

    def feed(self, *payloads: Any) -> Stream:
        texts = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
        self.decoder.feed(texts, self.events)
        return self

    @property
    def parts(self) -> list[Any]:
        return self.builder.parts()

    @property
    def reasons(self) -> tuple[FinishReason | None, str | None]:
        return self.decoder.finish_reason, self.decoder.provider_finish_reason


def delta(kind: str, value: str, *, item: str = 'i', output: int = 0, **more: Any) -> dict[str, Any]:
    return {'type': f'response.{kind}.delta', 'item_id': item, 'output_index': output, 'delta': value, **more}


def item(kind: str, value: Any, output: int = 0) -> dict[str, Any]:
    return {'type': f'response.output_item.{kind}', 'output_index': output, 'item': value}


def completed(**response: Any) -> dict[str, Any]:
    return {'type': 'response.completed', 'response': response}
