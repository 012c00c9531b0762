"""The tool calls of Chat Completions, whole and in pieces, in the forms that servers write; pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ..._base.tool_arguments import args_text
from ...messages import ModelResponsePart, ModelResponseStreamEvent, ToolCallPart
from .._http.answers import text_of, with_own_calls
from .._http.calls import new_tool_call_id
from .._http.parts import PartsBuilder

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
    """The details of a call that go back unchanged: its thought signature, as Google and LiteLLM write it.

    Sources: https://ai.google.dev/gemini-api/docs/openai and https://docs.litellm.ai/docs/providers/gemini.
    """
    return {name: call[name] for name in _KEPT if isinstance(call.get(name), dict) and call[name]}


def add_calls(calls: Any, builder: PartsBuilder, batch: list[ModelResponseStreamEvent]) -> None:
    """Append the events of the fragments in one delta to `batch`.

    Several fragments without an index belong to the calls at their places in the list, as
    https://github.com/SamSaffron/term-llm/pull/314 saw; the place of a single fragment, or of one with the id of an
    earlier one, has no meaning.
    """
    entries = _entries(calls)
    ids: set[object] = set()
    for place, call in enumerate(entries):
        function, index, call_id = call.get('function'), call.get('index'), call.get('id')
        if function is None:
            function = _without_function(call)
        name, args = function.get('name'), function.get('arguments')
        if type(index) is not int:
            index = _key(index, place if len(entries) > 1 and not (call_id and call_id in ids) else None)
        ids.add(call_id)
        event = builder.tool_call(
            index,
            name=name if type(name) is str else None,
            args=args if type(args) is str else args_text(args),
            call_id=_id(call_id) if call_id else None,
        )
        if event is not None:
            batch.append(event)
            if not _KEPT.isdisjoint(call):
                builder.set_details(event.index, kept_of_call(call))


def _entries(calls: Any) -> list[dict[str, Any]]:
    """The calls; some servers write a single call without a list, or null in the list."""
    if isinstance(calls, dict):
        return [calls]
    return [call for call in calls if call is not None] if calls and None in calls else calls or []


def _labels(call: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Name, arguments and id."""
    function = call.get('function')
    if function is None:
        function = _without_function(call)
    return text_of(function.get('name')), args_text(function.get('arguments')), _id(call.get('id'))


def _without_function(call: dict[str, Any]) -> dict[str, Any]:
    """The object that names the tool, if there is no `function`: some servers leave out that level. A custom tool,
    which only `extra_body` can offer, has text as its input, not JSON:
    https://developers.openai.com/api/docs/api-reference/chat/object
    """
    custom = call.get('custom')
    if not isinstance(custom, dict):
        return call
    return {'name': custom.get('name'), 'arguments': custom.get('input')}


def _id(call_id: object) -> str | None:
    """The id; without one, Mistral writes the text `null`."""
    return None if call_id == 'null' else text_of(call_id)


def _key(index: object, place: int | None) -> Hashable:
    """The key of a call: the index, which some servers write as text, or the place in the list."""
    if isinstance(index, str):
        return int(index) if index.isdecimal() else index
    return place
