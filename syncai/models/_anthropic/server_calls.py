"""Calls of tools that Anthropic runs, without a result in an interrupted answer; pure except for one warning.

They complete if the answer continues, or if results of the program's tools follow. The API refuses any other
continuation: "`web_search` tool use with id ... was found without a corresponding `web_search_tool_result` block"
(https://github.com/pydantic/pydantic-ai/pull/3051).
"""

from __future__ import annotations

from typing import Any

from ..._base.system import warn_in_log

_CALLS = ('server_tool_use', 'mcp_tool_use')
_MOST_NOTED = 100

# Ids of calls that were logged. Loop threads add to it without a lock; at worst, one is logged twice.
_noted: set[str] = set()


def without_open_calls(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The turns without the calls that will never get a result, because a user prompt followed."""
    blocks: list[dict[str, Any]] = []
    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        if turn['role'] == 'assistant' and following is not None and not _has_results(following):
            turn = _closed(turn)
        if blocks and blocks[-1]['role'] == turn['role']:
            blocks[-1] = {**turn, 'content': [*blocks[-1]['content'], *turn['content']]}
        elif turn['content']:
            blocks.append(turn)
    return blocks


def _has_results(turn: dict[str, Any]) -> bool:
    return any(block['type'] == 'tool_result' for block in turn['content'])


def _closed(turn: dict[str, Any]) -> dict[str, Any]:
    answered = {block['tool_use_id'] for block in turn['content'] if 'tool_use_id' in block}
    open_calls = [b for b in turn['content'] if b['type'] in _CALLS and b.get('id') not in answered]
    if not open_calls:
        return turn
    for call in open_calls:
        _note(call)
    return {**turn, 'content': [block for block in turn['content'] if block not in open_calls]}


def _note(call: dict[str, Any]) -> None:
    call_id = str(call.get('id'))
    if call_id not in _noted and len(_noted) < _MOST_NOTED:
        _noted.add(call_id)
        warn_in_log(
            'A call of %r (%s), which Anthropic was to make, is left out: the conversation went on without a result',
            call.get('name'),
            call_id,
        )
