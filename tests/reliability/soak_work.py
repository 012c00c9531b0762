"""The random work of the threads of the soak, and its allowed outcomes."""

from __future__ import annotations

import asyncio
import collections
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from syncai import Agent, HttpOptions, ModelRequest, ModelRetry, SyncAIError, UsageLimits, UserError
from syncai.direct import model_request, model_request_stream_sync, model_request_sync
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel

KINDS: tuple[Any, ...] = (OpenAIChatModel, OpenAIResponsesModel, AnthropicModel, GoogleModel, BedrockModel)
HTTP = HttpOptions(
    connect_timeout=5, first_event_timeout=1, idle_timeout=1, max_retries=1, max_retry_wait=0.1, keepalive_expiry=2
)
QUESTION = [ModelRequest.user_text_prompt('How are you?')]
LIMITS = UsageLimits(request_limit=5)
REFUSED = 'http://127.0.0.1:9/v1'  # nobody listens there


class ToolError(Exception):
    """The error that the tool of the soak raises, and then the run."""


class Workload:
    """The work, over one address.

    Args:
        base_url: The provider's.
    """

    def __init__(self, base_url: str) -> None:
        by_name = base_url.replace('127.0.0.1', 'localhost')  # takes the resolver's threads
        self.models: list[Model] = [
            kind(name, base_url=url, api_key='soak', http=HTTP)
            for kind in KINDS
            for name, url in (('m', base_url), ('by-name', by_name))
        ]
        self.models.append(OpenAIChatModel('refused', base_url=REFUSED, http=HTTP))
        self.agents = [self._agent(model, run_in) for model in self.models for run_in in ('caller', 'thread')]
        # Written by all threads: `Counter[...] += 1` on keys of one thread each.
        self.outcomes: dict[int, collections.Counter[str]] = {}
        self.unexpected: list[BaseException] = []
        self.since: dict[int, tuple[str, float]] = {}  # what each thread does, and since when

    @staticmethod
    def _agent(model: Model, run_in: Any) -> Agent[None, str]:
        agent = Agent(model, system_prompt='Be brief.', usage_limits=LIMITS)

        @agent.tool_plain(run_in=run_in)
        def work(n: int) -> str:
            if n == 0:
                raise ToolError('the tool fails')
            if n == 1:
                raise ModelRetry('another number, please')
            if n == 2:
                time.sleep(0.05)
            return 'x' * n

        return agent

    def run(self, chance: random.Random, go_on: Callable[[], bool]) -> None:
        """Do one thing after another while `go_on` returns True."""
        while go_on():
            self.do_one(chance)

    def do_one(self, chance: random.Random, *, interrupted: bool = False) -> None:
        """Do one thing, chosen at random, and count its outcome. An interrupt is raised."""
        # A second interrupt stops `asyncio.run` in its own cleanup, and its tasks stay behind.
        what = chance.choice(self.actions[:-2] if interrupted else self.actions)
        me = threading.get_ident()
        self.since[me] = what.__name__, time.monotonic()
        outcome = 'done'
        try:
            what(self, chance)
        except UserError as error:  # the calls here are right
            self._note(error)
            outcome = type(error).__name__
        except (SyncAIError, ToolError, asyncio.CancelledError) as error:
            outcome = type(error).__name__
        except Exception as error:
            self._note(error)
            outcome = type(error).__name__
        finally:
            self.since.pop(me, None)
            self.outcomes.setdefault(me, collections.Counter())[outcome] += 1

    def _note(self, error: BaseException) -> None:
        if len(self.unexpected) < 10:
            self.unexpected.append(error)

    def overdue(self, seconds: float) -> list[str]:
        """The work that takes longer than that number of seconds."""
        now = time.monotonic()
        return [f'{what} for {now - since:.0f} s' for what, since in list(self.since.values()) if now - since > seconds]

    # --- things to do -------------------------------------------------------------------------------------------------

    def call(self, chance: random.Random) -> None:
        model_request_sync(chance.choice(self.models), QUESTION)

    def call_with_deadline(self, chance: random.Random) -> None:
        timeout = chance.choice((0.001, 0.01, 0.1))
        model_request_sync(chance.choice(self.models), QUESTION, model_settings={'timeout': timeout})

    def stream(self, chance: random.Random) -> None:
        with model_request_stream_sync(chance.choice(self.models), QUESTION) as stream:
            for _ in stream:
                pass
            stream.get()

    def leave_stream(self, chance: random.Random) -> None:
        after = chance.choice((0, 1, 5, 100))
        with model_request_stream_sync(chance.choice(self.models), QUESTION) as stream:
            for number, _ in enumerate(stream):
                if number >= after:
                    break

    def drop_stream(self, chance: random.Random) -> None:
        stream = model_request_stream_sync(chance.choice(self.models), QUESTION).__enter__()
        next(iter(stream), None)

    def run_agent(self, chance: random.Random) -> None:
        chance.choice(self.agents).run_sync('Use the tool', timeout=chance.choice((None, 0.5, 5)))

    def run_stream(self, chance: random.Random) -> None:
        with chance.choice(self.agents).run_stream_sync('Use the tool') as stream:
            for number, _ in enumerate(stream.stream_text(delta=True, debounce_by=None)):
                if number == chance.choice((0, 3, 10_000)):
                    break

    def run_events(self, chance: random.Random) -> None:
        with chance.choice(self.agents).run_stream_events_sync('Use the tool') as events:
            for number, _ in enumerate(events):
                if number == chance.choice((0, 3, 10_000)):
                    break

    def run_many(self, chance: random.Random) -> None:
        runs = chance.choice(self.agents).map_sync(['a', 'b', 'c', 'd'], max_concurrency=2, return_exceptions=True)
        for number, _ in enumerate(runs):
            if number == chance.choice((0, 2, 10)):
                break

    def submit_and_cancel(self, chance: random.Random) -> None:
        future = chance.choice(self.agents).submit('Use the tool')
        time.sleep(chance.choice((0, 0, 0.002, 0.02)))
        if not future.cancel():
            future.result()

    def submit(self, chance: random.Random) -> None:
        chance.choice(self.agents).submit('Use the tool').result(30)

    def in_running_loop(self, chance: random.Random) -> None:
        async def main() -> None:
            model_request_sync(chance.choice(self.models), QUESTION)

        asyncio.run(main())

    def awaited(self, chance: random.Random) -> None:
        async def main() -> None:
            calls = [
                model_request(chance.choice(self.models), QUESTION),
                chance.choice(self.agents).run('Use the tool'),
            ]
            async with asyncio.timeout(chance.choice((0.01, 10))):
                await asyncio.gather(*calls, return_exceptions=True)

        try:
            asyncio.run(main())
        except TimeoutError as error:
            if isinstance(error, SyncAIError):
                raise

    actions = (
        call,
        call_with_deadline,
        stream,
        leave_stream,
        drop_stream,
        run_agent,
        run_stream,
        run_events,
        run_many,
        submit_and_cancel,
        submit,
        in_running_loop,
        awaited,
    )
