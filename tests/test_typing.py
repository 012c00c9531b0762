"""What a type checker sees of the public surface."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mypy', reason='types are checked where the checker is installed')

ROOT = Path(__file__).parent.parent

REVEALED = """
from syncai import ModelRequest, ModelSettings, model_request, model_request_stream, model_request_stream_sync
from syncai import HttpOptions, model_request_sync
from syncai.exceptions import DeadlineExceeded, IncompleteStreamError, ModelHTTPError
from syncai.models import ModelRequestParameters, infer_model
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

ask = [ModelRequest.user_text_prompt('Hi')]
reveal_type(ask)  # list[syncai.messages.ModelRequest]
answer = model_request_sync('openai:gpt-5.4-mini', ask)
reveal_type(answer)  # syncai.messages.ModelResponse
reveal_type(answer.text)  # str
reveal_type(answer.usage.total_tokens)  # int | None
reveal_type(infer_model('openai:gpt-5.4-mini'))  # syncai.models.Model
with model_request_stream_sync(OpenAIChatModel('name', http=HttpOptions()), ask) as stream:
    reveal_type(stream)  # syncai.stream.response.StreamedResponseSync
    for event in stream:
        reveal_type(event)  # syncai.messages.PartStartEvent | syncai.messages.PartDeltaEvent
    reveal_type(stream.get())  # syncai.messages.ModelResponse
    reveal_type(stream.usage())  # syncai.usage.Usage
    reveal_type(stream.timestamp)  # datetime.datetime


async def main() -> None:
    reveal_type(await model_request('openai:name', ask))  # syncai.messages.ModelResponse
    async with model_request_stream('openai:name', ask, model_settings=ModelSettings(timeout=3)) as stream:
        reveal_type(stream)  # syncai.stream.response.StreamedResponseAsync
        async for event in stream:
            reveal_type(event)  # syncai.messages.PartStartEvent | syncai.messages.PartDeltaEvent


def remedy(error: ModelHTTPError | DeadlineExceeded | IncompleteStreamError) -> None:
    reveal_type(error.retry_after)  # float | None
    reveal_type(error.partial)  # syncai.messages.ModelResponse | None


with ModelServer(lambda request: Reply('Hello')) as server:
    reveal_type(server)  # syncai.testing.ModelServer
    reveal_type(server.base_url)  # str
"""

REFUSED = """
from syncai import ModelRequest, ModelSettings, model_request_sync

model_request_sync('openai:name', 'Hi')  # arg-type
model_request_sync('openai:name', [ModelRequest.user_text_prompt('Hi')], {})  # call-arg, misc
ModelSettings(temprature=1)  # typeddict-unknown-key, typeddict-item
ModelSettings(max_tokens='many')  # typeddict-item
ModelRequest.user_text_prompt(1)  # arg-type
"""


def check(code: str, path: Path) -> dict[int, str]:
    """What mypy says of each line."""
    path.write_text(code)
    command = [sys.executable, '-m', 'mypy', '--strict', '--hide-error-context', '--no-error-summary', str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode in (0, 1), done.stderr or done.stdout
    said: dict[int, str] = {}
    for name, line, text in re.findall(r'^(.*?):(\d+): (?:note|error): (.*)$', done.stdout, re.MULTILINE):
        assert name.endswith(path.name), f'{name}:{line}: {text}'
        said[int(line)] = f'{said.get(int(line), "")} {text}'.strip()
    return said


def plain(text: str) -> str:
    """A type's name, without what differs between versions of the checker."""
    text = re.sub(r'builtins\.|\?', '', text)
    text = re.sub(r'Union\[(.*)\]', lambda m: m[1].replace(', ', ' | '), text)
    return re.sub(r'syncai\.(testing|messages|models)\.[_a-z.]+\.', r'syncai.\1.', text)


@pytest.mark.timeout(180)
def test_types_of_the_public_surface(tmp_path: Path) -> None:
    said = check(REVEALED, tmp_path / 'revealed.py')
    expected = {
        number: line.partition('  # ')[2]
        for number, line in enumerate(REVEALED.splitlines(), 1)
        if 'reveal_type(' in line
    }
    revealed = {n: plain(text.removeprefix('Revealed type is ').strip('"')) for n, text in said.items()}
    assert revealed == expected


@pytest.mark.timeout(180)
def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    said = check(REFUSED, tmp_path / 'refused.py')
    for number, line in enumerate(REFUSED.splitlines(), 1):
        if '  # ' in line:
            codes = line.partition('  # ')[2].split(', ')
            assert any(f'[{code}]' in said.get(number, '') for code in codes), (line, said.get(number))
    assert len(said) == REFUSED.count('  # ')
