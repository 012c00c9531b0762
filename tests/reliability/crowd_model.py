"""The model of `crowd.py`, in a module that its process can import."""

from __future__ import annotations

from syncai.testing import RecordedRequest, Reply, ToolCall


def answer(request: RecordedRequest) -> Reply:
    """The answer that the prompt asks for."""
    message = request.json['messages'][-1]
    if message['role'] == 'tool':
        return Reply('It ', 'says: ', 'words')
    kind = str(message['content'])
    match kind:
        case 'words':
            return Reply('word ', repeat=20, delay_between_events=0.005)
        case 'slow':
            return Reply('word ', repeat=20, delay_between_events=0.1)
        case 'silent':
            return Reply('word', 'never', delay_between_events=60)
        case 'late':
            return Reply('never', delay_headers=60)
        case 'consult' | 'look':
            return Reply(tool_calls=[ToolCall(kind)])
        case 'fails':
            return Reply(status=503)
        case _:
            return Reply('Half', ' of', ending='reset')
