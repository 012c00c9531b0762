"""A loop over a stream that is left with `break` drops its iterator: the finalizer runs no function that an interrupt
could land in, since the interpreter swallows what a finalizer raises.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncai import Agent, ModelRequest, model_request_stream_sync
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply


def events_of_a_model(model: OpenAIChatModel) -> Any:
    return model_request_stream_sync(model, [ModelRequest.user_text_prompt('x')])


def texts(model: OpenAIChatModel) -> Any:
    return Agent(model).run_stream_sync('x')


def events_of_a_run(model: OpenAIChatModel) -> Any:
    return Agent(model).run_stream_events_sync('x')


WAYS: dict[str, tuple[Callable[[OpenAIChatModel], Any], Callable[[Any], Iterator[Any]]]] = {
    'events of a model': (events_of_a_model, iter),
    'text': (texts, lambda opened: opened.stream_text()),
    'pieces of text': (texts, lambda opened: opened.stream_text(delta=True, debounce_by=None)),
    'data': (texts, lambda opened: opened.stream()),
    'events of a run': (events_of_a_run, iter),
}


@pytest.mark.parametrize('way', WAYS)
def test_an_iterator_that_is_dropped_calls_nothing(way: str) -> None:
    opening, reading = WAYS[way]
    called: list[str] = []

    def note(frame: Any, event: str, _: object) -> None:
        # A generator that is closed shows as called, and goes straight to its handlers of exceptions.
        if event == 'call' and not frame.f_code.co_flags & inspect.CO_GENERATOR:
            called.append(frame.f_code.co_qualname)

    with (
        ModelServer(Reply('one ', 'two ', 'three')) as server,
        opening(OpenAIChatModel('m', base_url=server.base_url)) as opened,
    ):
        iterator = reading(opened)
        next(iterator)
        sys.setprofile(note)
        del iterator
        sys.setprofile(None)
    assert called == []
