"""A run as the byte stream of a page, and the requests of pages: for any server, without a framework.

    asked = read_chat(body)                                       # ChatRequestError: answer with status_of(error)
    stream = agent.run_stream_events_sync(asked.prompt, message_history=asked.message_history)
    body = encode(stream, asked=asked, environ=environ)           # an iterator of bytes, with headers(asked.form)

Forms are `'ai-sdk'` (`useChat` of AI SDK 5, 6 and 7), `'ag-ui'`, `'events'` (our own events as JSON) and `'text'`.
"""

from __future__ import annotations

from ._app import chat_app
from ._body import EncodedStream, encode
from ._body_async import EncodedStreamAsync, encode_async
from ._errors import ErrorReply, status_of
from ._forms import Form, headers
from ._read import read_chat
from ._request import Approval, ChatRequest

__all__ = [
    'Approval',
    'chat_app',
    'ChatRequest',
    'encode',
    'encode_async',
    'EncodedStream',
    'EncodedStreamAsync',
    'ErrorReply',
    'Form',
    'headers',
    'read_chat',
    'status_of',
]
