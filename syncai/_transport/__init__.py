"""Requests to providers: HTTP, retries, timeouts and event streams. The only room that imports httpx and httptools."""

from __future__ import annotations

from .client import HttpClient, HttpResponse, close_clients, shared_client
from .event_stream import EventStream
from .request import ErrorFacts, HttpRequest
from .sse import EventStreamDecoder, ServerSentEvent

__all__ = [
    'close_clients',
    'ErrorFacts',
    'EventStream',
    'EventStreamDecoder',
    'HttpClient',
    'HttpRequest',
    'HttpResponse',
    'ServerSentEvent',
    'shared_client',
]
