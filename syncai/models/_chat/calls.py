"""The tool calls of Chat Completions, whole and in pieces, as servers write them; pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ..._tool_arguments import args_text
from ...messages import ModelResponsePart, ModelResponseStreamEvent, ToolCallPart
from .._answers import text_of, with_own_calls
from .._calls import new_tool_call_id
from .._parts import PartsBuilder

_KEPT = frozenset({'extra_content', 'provider_specific_fields'})


def whole_calls(calls: Any, provider: str, model_name: str) -> list[ModelResponsePart]:
    """The tool calls of a whole answer.

    Raises:
        UnexpectedModelBehavior: One names no tool.
    """
    return with_own_calls([_whole_call(call) for call in _entries(calls)], provider, model_name)


def _whole_call(call: dict[str, Any]) -> ToolCallPart:
    name, args, call_id = _labels(call)
    return ToolCallPart(name or '', args, call_id or new_tool_call_id(), provider_details=kept_of_call(call) or None)


def kept_of_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """What goes back with a call unchanged: its thought signature, as Google and LiteLLM write it.

    Sources: https://ai.google.dev/gemini-api/docs/openai and https://docs.litellm.ai/docs/providers/gemini.
    """
    return {name: call[name] for name in _KEPT if isinstance(call.get(name), dict) and call[name]}


def add_calls(calls: Any, builder: PartsBuilder, batch: list[ModelResponseStreamEvent]) -> None:
    """Append the events of the fragments in one delta to `batch`.

    Of several fragments without an index each belongs to the call at its place in the list, as
    https://github.com/SamSaffron/term-llm/pull/314 saw; a single one says nothing by its place.
    """
    entries = _entries(calls)
    for place, call in enumerate(entries):
        name, args, call_id = _labels(call)
        key = _index(call.get('index'))
        if key is None and len(entries) > 1:
            key = place
        event = builder.tool_call(key, name=name, args=args, call_id=call_id)
        if event is not None:
            batch.append(event)
            if not _KEPT.isdisjoint(call):
                builder.set_details(event.index, kept_of_call(call))


def _entries(calls: Any) -> list[dict[str, Any]]:
    return [calls] if isinstance(calls, dict) else [call for call in calls or () if call is not None]


def _labels(call: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Name, arguments and id. Some servers leave out the level of `function`, and Mistral writes `null` as an id."""
    function = call.get('function')
    if not isinstance(function, dict):
        function = call
    call_id = text_of(call.get('id'))
    return text_of(function.get('name')), args_text(function.get('arguments')), None if call_id == 'null' else call_id


def _index(index: object) -> Hashable:
    """The index, which some servers write as a text."""
    if isinstance(index, str):
        return int(index) if index.isdecimal() else index
    return index if isinstance(index, int) else None
