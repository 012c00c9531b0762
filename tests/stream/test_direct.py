"""The four direct functions over real HTTP: whole answers, streams, early ends, deadlines, errors, many threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from syncai import ModelRequest, UserError
from syncai._bridge import run_sync
from syncai.direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AuthenticationError,
    DeadlineExceeded,
    IncompleteStreamError,
    LoopThreadError,
    ModelConnectionError,
    NotFoundError,
    RateLimitError,
)
from syncai.messages import ModelResponseStreamEvent, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from syncai.models.function import FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

FDS = Path('/proc/self/fd')
QUESTION = [ModelRequest.user_text_prompt('Who was Albert Einstein?')]


def model_of(server: ModelServer, **options: object) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, api_key='secret-key', **options)  # type: ignore[arg-type]


def text_of(event: ModelResponseStreamEvent) -> str:
    if isinstance(event, PartStartEvent):
        return event.part.content if isinstance(event.part, TextPart) else ''
    return event.delta.content_delta if isinstance(event.delta, TextPartDelta) else ''


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


# --- whole answers and streams ----------------------------------------------------------------------------------------


def test_a_whole_answer(model_server: ModelServer) -> None:
    model_server.reply(Reply('A ', 'physicist.', usage=(9, 3)))
    response = model_request_sync(model_of(model_server), QUESTION)
    assert response.text == 'A physicist.'
    assert (response.usage.request_tokens, response.usage.response_tokens) == (9, 3)
    assert response.finish_reason == 'stop'
    sent = model_server.requests[0].json
    assert sent['messages'] == [{'role': 'user', 'content': 'Who was Albert Einstein?'}]


def test_a_streamed_answer(model_server: ModelServer) -> None:
    model_server.reply(Reply('A ', 'physicist', '.', usage=(9, 3)))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        events = list(stream)
        assert stream.get().text == 'A physicist.'
        assert stream.usage().total_tokens == 12
        assert stream.model_name
        assert stream.timestamp.tzinfo is not None
    text = ''.join(text_of(event) for event in events)
    assert text == 'A physicist.'


def test_the_same_from_a_coroutine(model_server: ModelServer) -> None:
    model_server.reply(Reply('whole'), Reply('stre', 'amed'))
    model = model_of(model_server)

    async def main() -> None:
        assert (await model_request(model, QUESTION)).text == 'whole'
        async with model_request_stream(model, QUESTION) as stream:
            events = [event async for event in stream]
            assert stream.get().text == 'streamed'
            assert events
            with pytest.raises(UserError, match='already read'):
                [event async for event in stream]

    asyncio.run(main())


def test_what_a_test_model_streams() -> None:
    with model_request_stream_sync(TestModel(), QUESTION) as stream:
        assert list(stream) == [
            PartStartEvent(index=0, part=TextPart(content='')),
            *(PartDeltaEvent(0, TextPartDelta(word)) for word in ('success ', '(no ', 'tool ', 'calls)')),
        ]


def test_a_function_model_runs_in_the_callers_thread() -> None:
    idents = []

    def answer(messages: object, info: object) -> object:
        from syncai.messages import ModelResponse

        idents.append(threading.get_ident())
        return ModelResponse([TextPart('here')])

    assert model_request_sync(FunctionModel(answer), QUESTION).text == 'here'  # type: ignore[arg-type]
    assert idents == [threading.get_ident()]


# --- the life of a stream ---------------------------------------------------------------------------------------------


def test_entering_does_not_wait_so_streams_open_side_by_side(model_server: ModelServer) -> None:
    model_server.reply(*(Reply(str(i), delay_headers=0.3) for i in range(8)))
    model = model_of(model_server)
    streams = [model_request_stream_sync(model, QUESTION).__enter__() for _ in range(8)]
    assert eventually(lambda: len(model_server.requests) == 8), 'all are under way before any is read'
    assert sorted(''.join(stream.get().text for stream in streams if list(stream))) == sorted('01234567')
    assert all(stream.close() for stream in streams)


def test_a_loop_left_with_break_goes_on_where_it_stopped(model_server: ModelServer) -> None:
    model_server.reply(Reply(*'abcdefgh'))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        first = [next(iter(stream)) for _ in range(3)]
        rest = list(stream)
        whole = stream.get().text
    assert whole == 'abcdefgh'
    assert len(first + rest) == len(set(map(repr, first + rest))) >= 8


def test_a_second_iteration_is_an_error_not_a_hang(model_server: ModelServer) -> None:
    model_server.reply(Reply('once'))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        list(stream)
        with pytest.raises(UserError, match='already read to its end'):
            list(stream)
        assert stream.get().text == 'once'
    with pytest.raises(UserError, match='closed'):
        list(stream)
    assert stream.get().text == 'once', 'what arrived stays readable'


@pytest.mark.parametrize('after', [0, 1, 5])
def test_leaving_early_disconnects(model_server: ModelServer, after: int) -> None:
    model_server.reply(Reply('x', repeat=100_000, delay_between_events=0.005))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        for _, _event in zip(range(after), stream, strict=False):
            pass
        assert eventually(lambda: bool(model_server.requests))
        left = time.monotonic()
    gone = model_server.wait_for_disconnect(timeout=2.0)
    assert gone.disconnected_at is not None
    assert gone.disconnected_at >= left


def test_an_exception_in_the_block_disconnects_and_comes_through(model_server: ModelServer) -> None:
    model_server.reply(Reply('x', repeat=100_000, delay_between_events=0.005))
    with pytest.raises(ZeroDivisionError), model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        next(iter(stream))
        _ = 1 / 0
    model_server.wait_for_disconnect(timeout=2.0)


def test_a_dropped_stream_disconnects(model_server: ModelServer) -> None:
    model_server.reply(Reply('x', repeat=100_000, delay_between_events=0.005))
    stream = model_request_stream_sync(model_of(model_server), QUESTION).__enter__()
    next(iter(stream))
    del stream
    gc.collect()
    model_server.wait_for_disconnect(timeout=2.0)


def test_a_stream_may_be_read_and_closed_in_another_thread(model_server: ModelServer) -> None:
    model_server.reply(Reply(*'abc'))
    stream = model_request_stream_sync(model_of(model_server), QUESTION).__enter__()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: (list(stream), stream.get().text)[1]).result() == 'abc'
        assert pool.submit(stream.close).result()


def test_a_stalled_reader_stalls_the_server(model_server: ModelServer) -> None:
    model_server.reply(Reply('x' * 10_000, repeat=10_000))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        next(iter(stream))
        request = model_server.requests[0]
        previous = -1
        while request.bytes_sent != previous:
            previous = request.bytes_sent
            time.sleep(0.2)
        assert request.bytes_sent < 30_000_000, 'of 100 MB'
        assert request.finished_at is None


def test_a_finished_streams_connection_is_used_again(model_server: ModelServer) -> None:
    model_server.reply(*(Reply('a', 'b') for _ in range(5)))
    model = model_of(model_server)
    for _ in range(5):
        with model_request_stream_sync(model, QUESTION) as stream:
            list(stream)
    assert len(model_server.requests) == 5
    assert model_server.connections <= 1


@pytest.mark.slow
def test_a_thousand_streams_left_early_leak_nothing(model_server: ModelServer) -> None:
    model_server.reply(*(Reply('x', repeat=1000, delay_between_events=0.01) for _ in range(1000)))
    model = model_of(model_server)

    def leave_early(_: int) -> bool:
        with model_request_stream_sync(model, QUESTION) as stream:
            next(iter(stream))
        return stream.close()

    def descriptors() -> int:
        return len(list(FDS.iterdir())) if FDS.is_dir() else 0

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    leave_early(0)
    assert eventually(lambda: model_server.connections == 0)
    before = descriptors(), threading.active_count()
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(leave_early, range(999)))
    assert eventually(lambda: model_server.connections == 0)
    assert eventually(lambda: descriptors() <= before[0])
    assert threading.active_count() <= before[1] + 1
    assert run_sync(tasks) == 1


@pytest.mark.slow
def test_8_threads_times_200_calls_with_one_model() -> None:
    with ModelServer(lambda request: Reply(request.json['messages'][0]['content'])) as server:
        model = model_of(server)

        def ask(number: int) -> bool:
            return model_request_sync(model, [ModelRequest.user_text_prompt(str(number))]).text == str(number)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(ask, range(1600))) == 1600


def test_threads_and_loops_and_a_fresh_loop_each_time(model_server: ModelServer) -> None:
    model_server.reply(*(Reply('ok') for _ in range(6)))
    model = model_of(model_server)
    for _ in range(3):
        assert asyncio.run(model_request(model, QUESTION)).text == 'ok'
        assert model_request_sync(model, QUESTION).text == 'ok'


def test_inside_a_running_loop(model_server: ModelServer) -> None:
    model_server.reply(Reply('ok'), Reply('ok'))

    async def main() -> None:
        assert model_request_sync(model_of(model_server), QUESTION).text == 'ok'
        with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
            assert list(stream)

    asyncio.run(main())


def test_on_the_loop_thread_it_says_what_to_do() -> None:
    async def work() -> None:
        model_request_sync(TestModel(), QUESTION)

    with pytest.raises(LoopThreadError, match='use the async form'):
        run_sync(work)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_deadline_before_the_stream_begins(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=30))
    with (
        pytest.raises(RuntimeError, match=r'^Stream failed to initialize within timeout') as caught,
        model_request_stream_sync(model_of(model_server), QUESTION, model_settings={'timeout': 0.2}) as stream,
    ):
        stream.get()
    assert isinstance(caught.value, DeadlineExceeded)
    assert caught.value.phase == 'first event'


def test_a_deadline_in_the_middle_keeps_what_arrived(model_server: ModelServer) -> None:
    model_server.reply(Reply('x', repeat=1000, delay_between_events=0.02))
    with (
        pytest.raises(DeadlineExceeded) as caught,
        model_request_stream_sync(model_of(model_server), QUESTION, model_settings={'timeout': 0.4}) as stream,
    ):
        list(stream)
    assert caught.value.partial is not None
    assert set(caught.value.partial.text) == {'x'}
    model_server.wait_for_disconnect(timeout=2.0)


def test_a_deadline_covers_retries(model_server: ModelServer) -> None:
    model_server.reply(*(Reply(status=500) for _ in range(50)))
    model = model_of(model_server, http=HttpOptions(max_retries=40))
    with pytest.raises(DeadlineExceeded):
        model_request_sync(model, QUESTION, model_settings={'timeout': 0.5})


@pytest.mark.parametrize('ending', ['eof', 'cut', 'reset'])
def test_a_truncated_stream_is_never_a_success(model_server: ModelServer, ending: str) -> None:
    model_server.reply(Reply('a', 'b', 'c', ending=ending))  # type: ignore[arg-type]
    with (
        pytest.raises(IncompleteStreamError) as caught,
        model_request_stream_sync(model_of(model_server), QUESTION) as stream,
    ):
        list(stream)
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'abc'


def test_statuses_have_their_classes(model_server: ModelServer) -> None:
    model = model_of(model_server, http=HttpOptions(max_retries=0))
    for status, kind in ((401, AuthenticationError), (404, NotFoundError), (429, RateLimitError)):
        model_server.reply(Reply(status=status, headers={'retry-after': '7', 'x-request-id': 'req_1'}))
        with pytest.raises(kind) as caught:
            model_request_sync(model, QUESTION)
        assert caught.value.request_id == 'req_1'
        assert caught.value.model_name == 'gpt-5.4-mini'
        assert 'secret-key' not in str(caught.value) + repr(caught.value)
    assert caught.value.retry_after == 7


def test_an_error_status_of_a_stream_surfaces_at_first_use(model_server: ModelServer) -> None:
    model_server.reply(Reply(status=401))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream, pytest.raises(AuthenticationError):
        stream.get()


def test_a_refused_connection_names_the_host() -> None:
    model = OpenAIChatModel('m', base_url='http://127.0.0.1:9/v1', api_key='k', http=HttpOptions(max_retries=0))
    with pytest.raises(ModelConnectionError, match=r'127\.0\.0\.1:9'):
        model_request_sync(model, QUESTION)


@pytest.mark.parametrize(
    ('messages', 'words'),
    [([], 'messages is empty'), ('Hello', 'must be a list'), (['Hello'], 'must be a list'), (None, 'must be a list')],
)
def test_wrong_messages_are_told_before_anything_is_sent(messages: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        model_request_sync(TestModel(), messages)  # type: ignore[arg-type]


def test_wrong_settings_are_named() -> None:
    with pytest.raises(UserError, match='temperature'):
        model_request_sync(TestModel(), QUESTION, model_settings={'temperature': 'hot'})  # type: ignore[arg-type]
    with pytest.raises(UserError, match='max_tokens'):
        model_request_sync(TestModel(), QUESTION, model_settings={'max_token': 3})  # type: ignore[arg-type]


def test_a_negative_timeout_is_refused() -> None:
    with pytest.raises(UserError, match='timeout'):
        model_request_sync(TestModel(), QUESTION, model_settings={'timeout': -1})
