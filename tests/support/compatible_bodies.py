"""The body of a request to one of the providers that speak Chat Completions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from syncai.messages import ModelMessage, ModelRequest
from syncai.models import ModelRequestParameters
from syncai.models._catalog.providers import PROVIDERS, for_model
from syncai.models._chat.request import chat_request
from syncai.models._http import answers as _answers

if TYPE_CHECKING:
    import pytest

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]


def body_of(
    provider: str,
    model: str = 'm',
    messages: list[ModelMessage] | None = None,
    parameters: ModelRequestParameters | None = None,
    *,
    stream: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    row = for_model(PROVIDERS[provider], model)
    return chat_request(model, row, messages or HELLO, settings, parameters or ModelRequestParameters(), stream=stream)


def dropped(
    caplog: pytest.LogCaptureFixture, provider: str, model: str, **more: Any
) -> tuple[dict[str, Any], set[str]]:
    """The body, and the settings of which a warning says that they were dropped."""
    _answers._warned.clear()
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger='syncai'):
        body = body_of(provider, model, **more)
        assert body_of(provider, model, **more) == body
    warned = [record.message.rpartition('the setting ')[2].partition(':')[0].strip("'") for record in caplog.records]
    assert len(set(warned)) == len(warned)  # once
    return body, set(warned)
