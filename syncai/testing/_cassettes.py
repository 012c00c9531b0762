"""Cassettes of vcrpy as the script of a server.

Source of the format: https://vcrpy.readthedocs.io/en/latest/advanced.html, version 1 of it, in YAML and in JSON.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..exceptions import UserError
from ._wire.formats import FORMATS, WireFormat, format_of
from .recorded import RecordedRequest
from .script import Reply

_KEPT_HEADERS = ('retry-after', 'retry-after-ms', 'x-request-id', 'request-id', 'x-should-retry')


@dataclass(frozen=True)
class Interaction:
    """One request of a cassette and its answer."""

    wire: WireFormat
    streams: bool
    json: Any
    reply: Reply


class Cassette:
    """Answers requests from a cassette; each interaction once. The server's thread owns it.

    A request gets the first unused answer to an equal JSON body; else the first in the same provider's format that is
    streamed like it, since other clients write other fields, and vcrpy itself uses the order.

    Args:
        interactions: Those of the cassette that ask a model.
        name: The cassette, for errors.
    """

    def __init__(self, interactions: list[Interaction], name: str) -> None:
        self._unused = interactions
        self._name = name

    def __call__(self, request: RecordedRequest) -> Reply:
        """The answer to a request."""
        wire = format_of(request)
        fitting = [one for one in self._unused if one.wire is wire and one.streams == request.streams]
        if not fitting:
            kind = 'streamed' if request.streams else 'whole'
            text = f'The cassette {self._name} has no {kind} answer left for {request.path}'
            # Retries would hide the mistake.
            return Reply(status=500, body={'error': {'message': text}}, headers={'x-should-retry': 'false'})
        match = next((one for one in fitting if one.json == request.json), fitting[0])
        self._unused.remove(match)
        return match.reply


def read_cassette(path: str | os.PathLike[str]) -> Cassette:
    """The cassette at `path`.

    Raises:
        UserError: It cannot be read, is none, or holds no request to a model.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'The cassette {place} cannot be read: {error}') from error
    form = _parsed(place, text)
    if not isinstance(form, dict) or not isinstance(form.get('interactions'), list):
        raise UserError(f'{place} is no cassette of vcrpy: it has no list of interactions')
    try:
        read = [_interaction(item['request'], item['response']) for item in form['interactions']]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'The cassette {place} is not in the format of vcrpy ({type(error).__name__}: {error})'
        ) from None
    interactions = [interaction for interaction in read if interaction is not None]
    if not interactions:
        raise UserError(f'The cassette {place} holds no request to a model in a format that ModelServer speaks')
    return Cassette(interactions, str(place))


def _parsed(place: Path, text: str) -> Any:
    if text.lstrip().startswith('{'):
        try:
            return json.loads(text)
        except ValueError as error:
            raise UserError(f'The cassette {place} is not JSON: {error}') from None
    try:
        import yaml
    except ImportError:
        raise UserError(f'To read the cassette {place}, install PyYAML, which vcrpy brings') from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f'The cassette {place} is not YAML: {error}') from None


def _interaction(request: Mapping[str, Any], response: Mapping[str, Any]) -> Interaction | None:
    parts = urlsplit(request['uri'])
    wire = next((one for one in FORMATS if request['method'] == 'POST' and one.serves(parts.path)), None)
    if wire is None:
        return None
    body = _bytes(request.get('body'))
    try:
        request_json = json.loads(body)
    except ValueError:
        request_json = None
    # The server's own rule decides whether the request streams.
    recorded_request = RecordedRequest(0, 0, 'POST', parts.path, {}, body, request_json, 0.0)
    return Interaction(wire, recorded_request.streams, request_json, _reply(response))


def _reply(response: Mapping[str, Any]) -> Reply:
    if 'status_code' in response:  # as vcrpy 2 to 4 wrote those of httpx
        status, body = int(response['status_code']), _bytes(response.get('content'))
    else:
        status, body = int(response['status']['code']), _bytes(response['body'])
    headers = {name.lower(): _text(value) for name, value in (response.get('headers') or {}).items()}
    own_headers = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
    if 'content-encoding' in headers and not _is_text(body):  # else vcrpy has unpacked it already
        own_headers['content-encoding'] = headers['content-encoding']
    content_type = headers.get('content-type', 'application/json')
    return Reply(status=status, body=body, content_type=content_type, headers=own_headers)


def _bytes(body: Any) -> bytes:
    if isinstance(body, Mapping):
        if 'base64_string' in body:
            return base64.b64decode(body['base64_string'])
        body = body.get('string')
    if body is None:
        return b''
    return body if isinstance(body, bytes) else str(body).encode()


def _text(value: Any) -> str:
    return str(value[0] if isinstance(value, list) else value)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
