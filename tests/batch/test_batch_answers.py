"""Rows of batches that need more than one answer, and rows that are many."""

from __future__ import annotations

import json
import threading
from typing import Any, Literal

import pytest
from batch_servers import City, created, echo, limited, weather
from batch_wires import chat

from syncai import Agent, ModelRetry, RunContext
from syncai.exceptions import (
    BatchError,
    UnexpectedModelBehavior,
    UserError,
)
from syncai.messages import BinaryContent, ModelMessage, ModelRequest, ModelResponse, TextPart
from syncai.models import Model
from syncai.models._http.batches import BatchLimits
from syncai.models.bedrock import BedrockModel
from syncai.models.openai import OpenAIChatModel
from syncai.testing import BatchPlan, ModelServer, RecordedRequest, Reply, ToolCall

# --- splitting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('limits', [BatchLimits(2, 10**6), BatchLimits(100, 500)], ids=['rows', 'bytes'])
def test_rows_are_split_at_the_limits_of_the_provider(
    limits: BatchLimits, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(echo) as server:
        agent = Agent(limited(chat(server), monkeypatch, limits))
        job = agent.batch([f'row {n}' for n in range(5)], journal=journal)
        assert len(job.parts) == len(created(server)) >= 2
        assert sum(part.rows for part in job.parts) == 5
        assert len({part.tag for part in job.parts}) == len(job.parts)
        files = [one.body for one in server.requests if one.path.endswith('/files')]
        assert all(body.count(b'"custom_id"') <= limits.rows for body in files)
        assert sorted(row.data for row in job.results()) == [f'you said row {n}' for n in range(5)]


def test_a_row_that_no_batch_takes_is_an_error_of_its_own(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(echo) as server:
        agent = Agent(limited(chat(server), monkeypatch, BatchLimits(10, 1000)))
        rows = list(agent.batch(['a', 'x' * 2000], journal=journal).results(ordered=True))
        assert rows[0].data == 'you said a'
        assert isinstance(rows[1].error, UserError)
        assert 'map_sync' in str(rows[1].error)


@pytest.mark.parametrize('ending', ['expired', 'cancelled'])
def test_rows_with_a_code_that_nobody_listed_are_lost_as_their_job_was(
    ending: Literal['expired', 'cancelled'], journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('syncai.models._chat.batches._LOST_BY', {})
    with ModelServer(echo, batches=BatchPlan(ending=ending, reached=1)) as server:
        rows = list(Agent(chat(server)).batch(['a', 'b'], journal=journal).results(ordered=True, interval=0.01))
        assert rows[0].data == 'you said a'
        assert isinstance(rows[1].error, BatchError)
        assert rows[1].error.reason == ending


@pytest.mark.parametrize(
    'model',
    [
        OpenAIChatModel('grok-4.3', provider='xai', api_key='k'),
        OpenAIChatModel('deepseek-chat', provider='deepseek', api_key='k'),
        OpenAIChatModel('any', provider='openrouter', api_key='k'),
        BedrockModel('anthropic.claude-sonnet-4-5', region='us-east-1', api_key='k'),
    ],
    ids=lambda model: model.system,
)
def test_providers_without_batches_name_those_that_have_them_and_map_sync(model: Model, journal: str) -> None:
    def mapped(rows: Any, journal: str) -> None:
        list(Agent(model).map_sync(rows, journal=journal, batch=True))

    for call in (Agent(model).batch, mapped):
        with pytest.raises(UserError, match=r'takes no batches: they are for OpenAI .*map_sync answers the same rows'):
            call(['a'], journal=journal)


# --- more than one answer ---------------------------------------------------------------------------------------------


def wrong_once(request: RecordedRequest) -> Reply:
    corrected = 'Fix the errors' in json.dumps(request.json) or '"tool"' in json.dumps(request.json['messages'])
    size: object = 3 if corrected or 'Oslo' in json.dumps(request.json) else 'large'
    return Reply(tool_calls=ToolCall('final_result', {'name': 'x', 'size': size}), usage=(30, 20))


def test_a_result_that_is_not_valid_is_asked_for_again_in_a_further_batch(journal: str) -> None:
    with ModelServer(wrong_once) as server:
        agent: Agent[None, City] = Agent(chat(server), result_type=City)
        job = agent.batch(['Paris', 'Oslo'], journal=journal)
        rows = {row.prompt: row for row in job.results(interval=0.01)}
        assert {prompt: row.usage().requests for prompt, row in rows.items()} == {'Paris': 2, 'Oslo': 1}
        assert rows['Paris'].data == City(name='x', size=3)
        assert [part.rows for part in job.parts] == [2, 1]


def test_a_result_that_is_not_valid_is_asked_for_again_live(journal: str) -> None:
    with ModelServer(wrong_once) as server:
        agent: Agent[None, City] = Agent(chat(server), result_type=City)
        rows = {
            row.prompt: row
            for row in agent.batch(['Paris', 'Oslo'], journal=journal, repair='live').results(interval=0.01)
        }
        assert rows['Paris'].data == City(name='x', size=3)
        assert len(created(server)) == 1
        answers = [message for message in rows['Paris'].all_messages() if isinstance(message, ModelResponse)]
        assert ['processing' in (answer.provider_details or {}) for answer in answers] == [True, False]


def test_a_result_that_is_not_valid_is_an_error(journal: str) -> None:
    with ModelServer(wrong_once) as server:
        agent: Agent[None, City] = Agent(chat(server), result_type=City)
        rows = {
            row.prompt: row
            for row in agent.batch(['Paris', 'Oslo'], journal=journal, repair=None).results(interval=0.01)
        }
        assert isinstance(rows['Paris'].error, UnexpectedModelBehavior)
        assert rows['Paris'].usage().requests == 1
        assert rows['Oslo'].data.size == 3
        assert len(server.requests) == len([one for one in server.requests if '/chat/' not in one.path])


def test_tools_are_called_between_batches_in_the_thread_that_polls(journal: str) -> None:
    threads = list[str]()
    with ModelServer(weather) as server:
        agent = Agent(chat(server), deps_type=str)

        @agent.tool
        def look(ctx: RunContext[str], city: str) -> str:
            threads.append(threading.current_thread().name)
            return f'{ctx.deps} in {city}'

        with pytest.raises(UserError, match='rounds=3'):
            agent.batch(['Rome'], journal=journal, deps='sunny')
        job = agent.batch(['Rome', 'Oslo'], journal=journal, deps='sunny', rounds=2)
        job = agent.batch(journal=journal, deps='sunny')  # the journal knows the rounds
        rows = {row.prompt: row for row in job.results(interval=0.01)}
        assert {prompt: row.data for prompt, row in rows.items()} == {
            'Rome': 'It is sunny in Rome.',
            'Oslo': 'It is sunny in Oslo.',
        }
        assert rows['Rome'].usage().requests == 2
        assert [part.rows for part in job.parts] == [2, 2]
        assert threads == [threading.current_thread().name] * 2


def test_a_model_that_calls_tools_for_ever_is_stopped_after_its_rounds(journal: str) -> None:
    with ModelServer(Reply(tool_calls=ToolCall('look', {}))) as server:
        agent = Agent(chat(server), tools=[Looker().look])
        job = agent.batch(['a'], journal=journal, rounds=3)
        (row,) = job.results(interval=0.01)
        assert isinstance(row.error, BatchError)
        assert row.error.reason == 'rounds'
        assert len(job.parts) == 3


class Looker:
    def look(self) -> str:
        """Look."""
        return 'nothing'


def test_validators_run_where_the_caller_polls(journal: str) -> None:
    seen = list[str]()
    with ModelServer(echo) as server:
        agent = Agent(chat(server))

        @agent.result_validator
        def check(value: str) -> str:
            seen.append(threading.current_thread().name)
            if len(seen) == 1:
                raise ModelRetry('louder')
            return value.upper()

        (row,) = agent.batch(['a'], journal=journal).results(interval=0.01)
        assert row.data.startswith('YOU SAID')
        assert seen == [threading.current_thread().name] * 2


def test_prompts_history_and_files_are_those_of_every_run(journal: str) -> None:
    with ModelServer(echo) as server:
        agent = Agent(chat(server), system_prompt='Be brief.', instructions='Say it in French.')
        history: list[ModelMessage] = [ModelRequest.user_text_prompt('before'), ModelResponse([TextPart('yes')])]
        image = BinaryContent(b'\x89PNG', 'image/png')
        job = agent.batch(
            [['look', image]], journal=journal, message_history=history, model_settings={'max_tokens': 77}
        )
        (row,) = job.results(interval=0.01)
        body = json.loads(
            next(one for one in server.requests if one.path.endswith('/files'))
            .body.split(b'\r\n\r\n')[2]
            .split(b'\n')[0]
        )['body']
        said = json.dumps(body['messages'])
        assert all(word in said for word in ('Be brief.', 'Say it in French.', 'before', 'image/png'))
        assert body['max_completion_tokens'] == 77
        assert not isinstance(row.prompt, str)
        assert [*row.prompt] == ['look', image]  # type: ignore[misc]
        assert len(row.new_messages()) == 2
        assert row.all_messages()[:2] == history
