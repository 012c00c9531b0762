"""Messages in their canonical form: what the model reads of them, without times, models and providers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, assert_never

from .._base.json_values import json_value
from .._base.tool_arguments import decoded_args
from ..content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, VideoUrl
from ..messages import (
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
    UserContent,
    UserPromptPart,
)
from .places import KeyPlace
from .values import Json, Rewrite, Values


class Sent(Values):
    """Writes the values that pydantic writes for the model, by the same rules; each of them has a form."""

    def number(self, value: float, place: KeyPlace) -> Json:
        """A number; those that JSON lacks are text."""
        return super().number(value, place) if math.isfinite(value) else json_value(value)

    def binary(self, data: bytes) -> Json:
        """Bytes: text where they are UTF-8."""
        try:
            return self.text(data.decode())
        except UnicodeDecodeError:
            return super().binary(data)

    def path(self, path: PurePath) -> Json:
        """A path, which is text to the model."""
        return self.text(str(path))

    def key(self, key: Any, place: KeyPlace) -> str:
        """The key of a dict, of any type that JSON can hold as text."""
        return key if type(key) is str else super().key(next(iter(json_value({key: None}))), place)


class Canonical(Values):
    """Writes messages, and values that hold some, in their canonical form."""

    def __init__(self, rewrite: Rewrite | None = None, files: dict[str, BinaryContent] | None = None) -> None:
        super().__init__(rewrite, files)
        self._values = Sent(rewrite, files)

    def instance(self, value: Any, place: KeyPlace) -> Json:
        """A value that is no text, number, list or dict."""
        if isinstance(value, ModelRequest | ModelResponse):
            return self.message(value, place)
        return super().instance(value, place)

    def message(self, message: ModelMessage, place: KeyPlace) -> dict[str, Json]:
        """A message by its parts.

        Left out: times, usage, the names and ids of providers, models and answers, why an answer ended, signatures and
        other opaque content that providers want back, which differ at each recording.
        """
        parts: list[Json] = []
        if isinstance(message, ModelRequest):
            for number, part in enumerate(message.parts):
                parts.append(self._request_part(part, place.at(number)))
            if message.instructions is None:
                return {'request': parts}
            return {'request': parts, 'instructions': self.text(message.instructions)}
        for number, answered in enumerate(message.parts):
            parts.append(self._response_part(answered, place.at(number)))
        return {'response': parts}

    def _request_part(self, part: ModelRequestPart, place: KeyPlace) -> dict[str, Json]:
        if isinstance(part, SystemPromptPart):
            return {'system': self.text(part.content)}
        if isinstance(part, UserPromptPart):
            return {'user': self._user_content(part.content)}
        if isinstance(part, ToolReturnPart):
            content = self._values.value(part.content, place)
            return {'return': content, 'tool': part.tool_name, 'call': self.call_id(part.tool_call_id)}
        if isinstance(part, RetryPromptPart):
            retry: dict[str, Json] = {'retry': self._problem(part, place)}
            if part.tool_name is not None:
                retry |= {'tool': part.tool_name, 'call': self.call_id(part.tool_call_id)}
            return retry
        assert_never(part)

    def _user_content(self, content: str | Sequence[UserContent]) -> Json:
        if isinstance(content, str):
            return self.text(content)
        return [self._content_item(item) for item in content]

    def _content_item(self, item: UserContent) -> Json:
        if isinstance(item, str):
            return self.text(item)
        if isinstance(item, BinaryContent):
            return self.file(item)
        if isinstance(item, ImageUrl | AudioUrl | DocumentUrl | VideoUrl):
            return self.address(item)
        assert_never(item)

    def _problem(self, part: RetryPromptPart, place: KeyPlace) -> Json:
        if isinstance(part.content, str):
            return self.text(part.content)
        # The address of pydantic's documentation names its version.
        errors = [{key: value for key, value in error.items() if key != 'url'} for error in part.content]
        return self._values.value(errors, place)

    def _response_part(self, part: ModelResponsePart, place: KeyPlace) -> dict[str, Json]:
        if isinstance(part, TextPart):
            return {'text': self.text(part.content)}
        if isinstance(part, ThinkingPart):
            return {'thinking': self.text(part.content)}
        if isinstance(part, ToolCallPart):
            args = self.value(_arguments(part), place)
            return {'arguments': args, 'tool': part.tool_name, 'call': self.call_id(part.tool_call_id)}
        assert_never(part)


def _arguments(part: ToolCallPart) -> Any:
    """Arguments as an object, in whatever form they came; text that is not JSON, such as with NaN in it, stays text."""
    try:
        args = decoded_args(part.args)
        return part.args if isinstance(part.args, str) and _has_no_json(args) else args
    except ValueError:
        return part.args


def _has_no_json(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_no_json, value.values()))
    if isinstance(value, list):
        return any(map(_has_no_json, value))
    return isinstance(value, float) and not math.isfinite(value)
