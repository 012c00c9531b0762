"""Prices in spans and metrics, taken by the exporters of OpenTelemetry's SDK."""

from __future__ import annotations

import sys

import pytest
from plain_http import wait_until
from telemetry import Telemetry, attributes, telemetry

from syncai.agent import Agent
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.messages import ModelRequest
from syncai.models.anthropic import AnthropicModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall

__all__ = ['telemetry']
QUESTION = [ModelRequest.user_text_prompt('a question')]


def model_at(server: ModelServer) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, http=HttpOptions(max_retries=0))


def look(name: str = '') -> str:
    return 'found'


def test_prices_are_those_of_requests_and_of_runs(model_server: ModelServer, telemetry: Telemetry) -> None:
    """gpt-4o: 2.50 and 10 dollars a million tokens (https://openai.com/api/pricing, as genai-prices 0.2.3 has it)."""
    pytest.importorskip('genai_prices')
    model_server.reply(
        Reply(tool_calls=[ToolCall('look')], usage=(1000, 100), model='gpt-4o'),
        Reply('done', usage=(2000, 100), model='gpt-4o'),
    )
    agent = Agent(model_at(model_server), name='finder', instrument=telemetry.settings())
    agent.tool_plain(look)
    result = agent.run_sync('go')
    chats = [s for s in telemetry.exporter.get_finished_spans() if s.name == 'chat gpt-5.4-mini']
    assert [attributes(chat)['gen_ai.usage.cost.amount'] for chat in chats] == [0.0035, 0.006]
    assert {attributes(chat)['gen_ai.usage.cost.currency'] for chat in chats} == {'USD'}
    assert {attributes(chat)['gen_ai.usage.cost.source'] for chat in chats} == {'local'}
    run = attributes(telemetry.spans()['invoke_agent finder'])
    assert run['syncai.run.price'] == pytest.approx(0.0095)
    assert result.price is not None
    assert run['syncai.run.price'] == float(result.price)
    assert 'gen_ai.usage.cost.amount' not in run  # so that a sum over spans counts it once
    (point,) = telemetry.metrics()['gen_ai.client.operation.cost']
    assert point.sum == pytest.approx(0.0095)
    assert point.attributes['gen_ai.response.model'] == 'gpt-4o'
    assert point.attributes['gen_ai.usage.cost.currency'] == 'USD'


def test_the_price_that_a_provider_states_goes_to_the_span(model_server: ModelServer, telemetry: Telemetry) -> None:
    body = {'choices': [{'message': {'content': 'x'}, 'finish_reason': 'stop'}], 'model': 'm', 'usage': {'cost': 0.25}}
    model_server.reply(Reply(body=body, content_type='application/json'))
    model = OpenAIChatModel('m', provider='openrouter', base_url=model_server.base_url, api_key='k')
    model_request_sync(model, QUESTION, instrument=telemetry.settings())
    chat = attributes(telemetry.spans()['chat m'])
    assert (chat['gen_ai.usage.cost.amount'], chat['gen_ai.usage.cost.source']) == (0.25, 'provider')


@pytest.mark.parametrize('missing', [True, False])
def test_a_price_that_is_not_known_is_left_out(
    model_server: ModelServer, telemetry: Telemetry, missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, 'genai_prices', None)
    model_server.reply(Reply('x', usage=(10, 5), model='gpt-4o' if missing else 'nobody-knows'))
    Agent(model_at(model_server), name='finder', instrument=telemetry.settings()).run_sync('go')
    spans = telemetry.spans()
    names = {*attributes(spans['chat gpt-5.4-mini']), *attributes(spans['invoke_agent finder'])}
    assert not [name for name in names if 'cost' in name or 'price' in name]
    assert 'gen_ai.client.operation.cost' not in telemetry.metrics()


def test_an_answer_that_was_left_early_has_no_known_price(model_server: ModelServer, telemetry: Telemetry) -> None:
    """Its beginning says how long the prompt was, and not how much was written in the end."""
    model_server.reply(Reply('a', repeat=1000, usage=(1000, 500), model='claude-haiku-4-5', delay_between_events=0.01))
    model = AnthropicModel('claude-haiku-4-5', base_url=model_server.base_url, api_key='k')
    with model_request_stream_sync(model, QUESTION, instrument=telemetry.settings()) as stream:
        next(iter(stream))
    wait_until(lambda: 'chat claude-haiku-4-5' in telemetry.spans())
    chat = attributes(telemetry.spans()['chat claude-haiku-4-5'])
    assert chat['gen_ai.usage.input_tokens'] == 1000
    assert 'gen_ai.usage.cost.amount' not in chat
