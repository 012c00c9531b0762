"""A tape records what is asked over real sockets, and gives it back without them."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from taping import KEY, ask, model, path, server

from syncai import Agent, ModelRequest, RunContext, model_request_sync
from syncai.exceptions import (
    MissingKeyError,
    OverloadedError,
    RateLimitError,
    TapeMismatch,
    UserError,
)
from syncai.messages import BinaryContent
from syncai.models._catalog.providers import PROVIDERS
from syncai.models._route.stand_in import served_by
from syncai.models.fallback import FallbackModel
from syncai.models.function import FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.tape import Tape
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall, model_requests_forbidden

__all__ = ['model', 'path', 'server']


def test_once_records_what_is_missing_and_replays_the_rest(
    server: ModelServer, model: OpenAIChatModel, path: Path
) -> None:
    with Tape(path, mode='once') as tape:
        assert ask(model, 'a') == 'You said: a'
    assert (tape.played, tape.recorded) == (0, 1)
    with Tape(path, mode='once') as tape:
        assert [ask(model, prompt) for prompt in 'ab'] == ['You said: a', 'You said: b']
    assert (tape.played, tape.recorded, len(server.requests)) == (1, 1, 2)
    before = path.read_bytes()
    with Tape(path, mode='once'):
        ask(model, 'b')
    assert path.read_bytes() == before


def test_replay_asks_no_model(server: ModelServer, model: OpenAIChatModel, path: Path) -> None:
    with Tape(path, mode='once'):
        first = model_request_sync(model, [ModelRequest.user_text_prompt('a')])
    with Tape(path, mode='replay'), model_requests_forbidden():
        assert model_request_sync(model, [ModelRequest.user_text_prompt('a')]) == first
    assert len(server.requests) == 1


def test_refresh_asks_anew_and_drops_what_is_asked_no_more(
    server: ModelServer, model: OpenAIChatModel, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tape(path, mode='once'):
        ask(model, 'a')
        ask(model, 'b')
    form = json.loads(path.read_text())
    for exchange in form['exchanges']:
        exchange['recorded'] = '2020-01-01T00:00:00Z'
    path.write_text(json.dumps(form))
    with Tape(path, mode='refresh'):
        ask(model, 'b')
    asked = [e['request']['messages'][0]['request'][0]['user'] for e in json.loads(path.read_text())['exchanges']]
    assert (asked, len(server.requests)) == (['b'], 3)


def test_off_is_as_if_there_were_no_tape(model: OpenAIChatModel, path: Path) -> None:
    with Tape(path.with_name('outer.json'), mode='replay'), Tape(path, mode='off'):
        assert ask(model) == 'You said: hi'
    assert not path.parent.exists()


def test_no_key_and_no_header_is_on_the_tape(server: ModelServer, path: Path) -> None:
    settings: Any = {'extra_headers': {'x-gateway': 'hdr-secret'}, 'extra_body': {'gateway': {'api_key': 'bdy-secret'}}}
    model = OpenAIChatModel('m', base_url=server.base_url, api_key=KEY, settings=settings)
    with Tape(path, mode='once'):
        ask(model)
    assert len(server.requests) == 1
    assert not [word for word in (KEY, 'hdr-secret', 'bdy-secret', 'authorization') if word in path.read_text()]


def test_a_mismatch_shows_the_nearest_request(model: OpenAIChatModel, path: Path) -> None:
    with Tape(path, mode='once'):
        ask(model, 'What is the capital of France?')
        ask(model, 'Sing.')
    with Tape(path, mode='replay'), pytest.raises(TapeMismatch, match='none of the 2 on it') as raised:
        ask(model, 'What is the capital of Spain?')
    assert '-  "messages": [{"request": [{"user": "What is the capital of France?"}]}],' in raised.value.diff
    assert '+  "messages": [{"request": [{"user": "What is the capital of Spain?"}]}],' in raised.value.diff
    assert 'Sing' not in raised.value.diff
    assert raised.value.path == str(path)


def test_without_a_file_replay_says_how_to_record_one(model: OpenAIChatModel, path: Path) -> None:
    with Tape(path, mode='replay'), pytest.raises(TapeMismatch, match=r'there is no such file.*--tape=once'):
        ask(model)


def test_the_same_request_has_its_answers_in_order_and_no_more(path: Path) -> None:
    numbers = iter(range(9))
    with ModelServer(lambda request: Reply(str(next(numbers)))) as server:
        model = OpenAIChatModel('m', base_url=server.base_url)
        with Tape(path, mode='once'):
            assert [ask(model), ask(model)] == ['0', '1']
        with Tape(path, mode='replay'):
            assert [ask(model), ask(model)] == ['0', '1']
            with pytest.raises(TapeMismatch, match='was recorded 2 times, and is made once more'):
                ask(model)
        with Tape(path, mode='once'):
            assert [ask(model), ask(model), ask(model)] == ['0', '1', '2']


def test_threads_get_their_answers_by_content(server: ModelServer, model: OpenAIChatModel, path: Path) -> None:
    def everything() -> list[str]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda prompt: ask(model, prompt), map(str, range(20))))

    with Tape(path, mode='once'):
        recorded = everything()
    with Tape(path, mode='replay'):
        assert everything() == recorded == [f'You said: {number}' for number in range(20)]
    assert len(server.requests) == 20


def test_a_thread_with_its_own_tape_keeps_to_it(model: OpenAIChatModel, tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with Tape(tmp_path / 'other.json', mode='once') as tape:
            entered.set()
            leave.wait(20)
            ask(model, 'other')
            counts.append(tape.recorded)

    counts: list[int] = []
    with Tape(tmp_path / 'own.json', mode='once') as tape:
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(20)
        ask(model, 'own')
        leave.set()
        thread.join()
    assert (tape.recorded, counts) == (1, [1])


def test_of_nested_tapes_the_innermost_holds(model: OpenAIChatModel, tmp_path: Path) -> None:
    with Tape(tmp_path / 'outer.json', mode='once') as outer:
        ask(model, 'a')
        with Tape(tmp_path / 'inner.json', mode='once') as inner:
            ask(model, 'b')
        ask(model, 'c')
    assert (outer.recorded, inner.recorded) == (2, 1)


def test_coroutines_each_have_their_own(model: OpenAIChatModel, tmp_path: Path) -> None:
    agent = Agent(model)

    async def run(name: str) -> int:
        with Tape(tmp_path / f'{name}.json', mode='once') as tape:
            await asyncio.sleep(0)
            await agent.run(name)
            return tape.recorded

    async def both() -> list[int]:
        return list(await asyncio.gather(run('a'), run('b')))

    assert asyncio.run(both()) == [1, 1]


def test_a_named_model_needs_no_key_to_be_replayed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)
    monkeypatch.setenv('SYNCAI_MODEL', 'openai:gpt-5.4-mini')
    with ModelServer([Reply('recorded')]) as server, served_by(server.base_url), Tape(path, mode='once'):
        assert Agent('openai:gpt-5.4-mini').run_sync('hi').data == 'recorded'
        assert server.requests[0].json['model'] == 'gpt-5.4-mini'
    with Tape(path, mode='replay'):
        assert Agent('gpt-5.4-mini').run_sync('hi').data == 'recorded'
    with Tape(path, mode='replay'):
        assert Agent().run_sync('hi').data == 'recorded'
    with Tape(path, mode='once'), pytest.raises(MissingKeyError) as raised:
        Agent('openai:gpt-5.4-mini').run_sync('something else')
    assert 'it was to be recorded' in raised.value.__notes__[0]


def test_each_model_of_a_fallback_has_its_own_answers(path: Path) -> None:
    http = HttpOptions(max_retries=0)
    with ModelServer(Reply(status=503)) as down, ModelServer(Reply('up')) as up:
        first = OpenAIChatModel('first', base_url=down.base_url, http=http)
        second = OpenAIChatModel('second', base_url=up.base_url, http=http)
        with Tape(path, mode='once'):
            assert ask(FallbackModel(first, second)) == 'up'
        with Tape(path, mode='replay'):
            response = model_request_sync(FallbackModel(first, second), [ModelRequest.user_text_prompt('hi')])
            assert (response.text, response.usage.requests) == ('up', 2)
        with Tape(path, mode='replay'):
            assert ask(second) == 'up'
        assert (len(down.requests), len(up.requests)) == (1, 1)


def test_an_error_that_the_block_expects_is_recorded_and_one_that_ends_it_is_not(path: Path) -> None:
    replies = [Reply(status=429, headers={'retry-after': '7', 'x-secret': 's'}), Reply(status=503), Reply('fine')]
    with ModelServer(replies) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(max_retries=0))
        with Tape(path, mode='once'), pytest.raises(RateLimitError):
            ask(model, 'a')
        with pytest.raises(OverloadedError), Tape(path, mode='once'):
            ask(model, 'b')
        assert 'x-secret' not in path.read_text()
        with Tape(path, mode='replay'), pytest.raises(RateLimitError) as raised:
            ask(model, 'a')
        assert (raised.value.retry_after, raised.value.status_code, raised.value.provider) == (7.0, 429, 'openai')
        with Tape(path, mode='once'):
            assert ask(model, 'b') == 'fine'


def test_what_is_ignored_does_not_count(server: ModelServer, model: OpenAIChatModel, path: Path) -> None:
    with Tape(path, mode='once', ignore=r'\d{4}-\d\d-\d\d'):
        ask(model, 'Today is 2026-01-01.')
    with Tape(path, mode='replay', ignore=r'\d{4}-\d\d-\d\d'):
        ask(model, 'Today is 2027-05-05.')
    assert len(server.requests) == 1


def test_files_lie_beside_the_tape_under_their_hash(model: OpenAIChatModel, path: Path) -> None:
    image = b'\x89PNG\r\n\x1a\n' + bytes(16)
    with Tape(path, mode='once'):
        Agent(model).run_sync(['look', BinaryContent(image, 'image/png')])
    (file,) = (path.parent / 'x.files').iterdir()
    assert (file.suffix, file.read_bytes()) == ('.png', image)
    assert file.stem in path.read_text()
    with Tape(path, mode='replay'):
        assert Agent(model).run_sync(['look', BinaryContent(image, 'image/png')]).data == 'You said: a file'


def test_agents_with_tools_maps_and_histories(server: ModelServer, path: Path) -> None:
    calls = iter(range(100))

    def answer(request: RecordedRequest) -> Reply:
        last = request.json['messages'][-1]
        if last['role'] == 'tool':
            return Reply(f'it is {last["content"]}')
        return Reply(tool_calls=ToolCall('weather', {'city': last['content']}, id=f'call_{next(calls)}'))

    def everything(model: Any) -> list[Any]:
        agent = Agent(model, system_prompt='Be brief.')
        agent.tool_plain(weather)
        first = agent.run_sync('Paris')
        second = agent.run_sync('Rome', message_history=first.all_messages())
        rows = [row.data for row in agent.map_sync(['Oslo', 'Bonn'])]
        return [first.data, second.data, *rows]

    def weather(city: str) -> str:
        return f'sunny in {city}'

    expected = ['it is sunny in Paris', 'it is sunny in Rome', 'it is sunny in Oslo', 'it is sunny in Bonn']
    with ModelServer(answer) as own:
        with Tape(path, mode='once'):
            assert everything(OpenAIChatModel('m', base_url=own.base_url)) == expected
        with Tape(path, mode='replay'):
            assert everything(OpenAIChatModel('m', base_url='https://host.example', api_key=KEY)) == expected
        assert len(own.requests) == 8


def test_a_function_as_the_model_is_recorded_too(path: Path) -> None:
    calls: list[int] = []

    def answer(messages: Any, info: Any) -> str:
        calls.append(1)
        return 'from the function'

    for _ in range(2):
        with Tape(path, mode='once'):
            assert Agent(FunctionModel(answer)).run_sync('hi').data == 'from the function'
    assert len(calls) == 1


@pytest.mark.parametrize(
    ('arguments', 'error'),
    [
        ({'path': 'x.json', 'mode': 'record'}, "mode of a Tape must be one of 'once', 'replay', 'refresh', 'off'"),
        ({'path': 'tapes/refund'}, "Write 'tapes/refund.json' for a tape, 'tapes/refund/' for a cache"),
        ({'path': 'x.json', 'ttl': '7d'}, 'ttl goes with a directory'),
        ({'path': 'x/', 'ttl': '7 days'}, "ttl must be a time such as '7d'"),
        ({'path': 'x.json', 'speed': 0}, 'speed must be None or a number above 0'),
        ({'path': 'x.json', 'redact': '('}, 'no regular expression'),
        ({'path': 'x.json', 'ignore': [3]}, 'ignore takes regular expressions and functions'),
        ({'path': 5}, 'A Tape takes a path'),
    ],
)
def test_wrong_arguments_name_the_remedy(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(UserError, match=error.replace('(', r'\(')):
        Tape(**arguments)


def test_a_difference_within_a_long_text_is_shown_by_its_line(model: OpenAIChatModel, path: Path) -> None:
    def prompt(word: str) -> str:
        return '\n'.join([*map(str, range(50)), word, *map(str, range(50))])

    with Tape(path, mode='once'):
        ask(model, prompt('old'))
    with Tape(path, mode='replay'), pytest.raises(TapeMismatch) as raised:
        ask(model, prompt('new'))
    assert [line.split()[-1] for line in raised.value.diff.splitlines() if line[:2] in ('- ', '+ ')] == [
        'old\\n',
        'new\\n',
    ]


def test_the_model_of_a_run_shows_what_it_is(server: ModelServer, model: OpenAIChatModel, path: Path) -> None:
    seen: list[Any] = []
    agent: Agent[Any, str] = Agent(model)

    @agent.system_prompt
    def note(ctx: RunContext[Any]) -> str:
        seen.append(ctx.model)
        return 'Be brief.'

    with Tape(path, mode='once'):
        agent.run_sync('hi')
    assert (seen[0].model_name, seen[0].system, seen[0].base_url) == ('m', 'openai', server.base_url)
    assert not hasattr(seen[0], 'nonsense')


@pytest.mark.parametrize('provider', PROVIDERS)
def test_a_model_of_any_provider_is_known_by_name_alone(
    provider: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in (*PROVIDERS[provider].key_variables, *PROVIDERS[provider].base_url_variables):
        monkeypatch.delenv(variable, raising=False)
    with Tape(path, mode='replay'), pytest.raises(TapeMismatch, match=f'The request to {provider}:some-model'):
        ask(f'{provider}:some-model')
