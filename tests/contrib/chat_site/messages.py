"""Messages that the suites store."""

from __future__ import annotations

from syncai import BinaryContent, PendingCall
from syncai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart

SCRIPT = '<script>alert(1)</script>'
FILE = BinaryContent(b'%PDF-' + b'x' * 70_000, 'application/pdf')


def turn(prompt: object = 'Hello', answer: str = 'Good day') -> list[ModelMessage]:
    return [ModelRequest([UserPromptPart(prompt)]), ModelResponse([TextPart(answer)], model_name='m')]  # type: ignore[arg-type]


def paused(call_id: str = 'c1', **args: object) -> list[ModelMessage]:
    """A prompt, a call and the request that waits for a decision about it."""
    args = args or {'order': 7, 'amount': 20.0}
    return [
        ModelRequest([UserPromptPart('Refund order 7')]),
        ModelResponse([ToolCallPart('refund', dict(args), call_id)]),
        ModelRequest([], pending=(PendingCall(call_id, 'refund', dict(args), 'above 10'),)),
    ]
