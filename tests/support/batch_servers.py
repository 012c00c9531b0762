"""The common part of the tests of batches: scripts of the provider, and the requests that it got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from syncai.models._http.batches import BatchLimits
from syncai.models._http.model import HttpModel
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

if TYPE_CHECKING:
    import pytest


class City(BaseModel):
    name: str
    size: int


def asked(request: RecordedRequest) -> str:
    """The last text of a prompt in a request of any format."""
    texts = list[str]()

    def look(value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if key in ('text', 'content') and isinstance(item, str):
                    texts.append(item)
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look({name: value for name, value in request.json.items() if name not in ('tools', 'system', 'systemInstruction')})
    return texts[-1]


def echo(request: RecordedRequest) -> Reply:
    text = asked(request)
    return Reply(f'you said {text}', usage=(30, 20), status=400 if text == 'bad' else 200)


def city(request: RecordedRequest) -> Reply:
    call = ToolCall('final_result', {'name': asked(request), 'size': 3})
    return Reply(tool_calls=call, usage=(30, 20))


def created(server: ModelServer) -> list[RecordedRequest]:
    """The requests that asked for a job."""
    paths = ('/batches', '/batch/jobs', ':batchGenerateContent')
    return [one for one in server.requests if one.method == 'POST' and one.path.partition('?')[0].endswith(paths)]


def rows_sent(server: ModelServer) -> int:
    """The number of rows that the provider got, in all jobs."""
    files = [one for one in server.requests if one.method == 'POST' and one.path.endswith('/files')]
    return sum(one.body.count(b'"custom_id"') for one in [*created(server), *files])


def weather(request: RecordedRequest) -> Reply:
    if request.json['messages'][-1]['role'] == 'tool':
        return Reply(f'It is {request.json["messages"][-1]["content"]}.', usage=(3, 2))
    return Reply(tool_calls=ToolCall('look', {'city': asked(request)}), usage=(3, 2))


def limited(model: HttpModel, monkeypatch: pytest.MonkeyPatch, limits: BatchLimits) -> HttpModel:
    kind = type(model)
    batches = kind._batches.fget(model)  # type: ignore[attr-defined]
    batches.limits = limits
    monkeypatch.setattr(kind, '_batches', property(lambda _: batches))
    return model
