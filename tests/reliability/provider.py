"""The answers of the model server of these scripts: short and long texts, calls of tools, lists."""

from __future__ import annotations

import json
from typing import Any

from syncai.testing import RecordedRequest, Reply, ToolCall

ROWS = [{'name': f'row {number}', 'number': number} for number in range(12)]


def answer(request: RecordedRequest) -> Reply:
    """The answer for the last message: `long`, `slow`, or anything else; tools and results where they are offered."""
    said: list[dict[str, Any]] = request.json['messages']
    last = said[-1]
    tools = [tool['function']['name'] for tool in request.json.get('tools') or ()]
    if 'final_result' in tools:
        rows = json.dumps({'response': ROWS})
        return Reply(tool_calls=[ToolCall('final_result', rows, pieces=24)], delay_between_events=0.0002)
    if tools and last['role'] == 'user':
        return Reply(tool_calls=[ToolCall(name, {'n': number}) for number, name in enumerate(tools)], usage=(5, 5))
    if last['content'] == 'long':
        return Reply('word ', repeat=100_000, delay_between_events=0.0002)
    if last['content'] == 'slow':
        return Reply('late', delay_headers=60)
    return Reply('four ', 'words ', 'of ', 'text', usage=(3, 4))
