"""`manage.py syncai_chat`: a chat in the terminal with an agent of the project, kept in its tables."""

from __future__ import annotations

from argparse import ArgumentParser
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from ....._base.printable import printable
from .....agent import Agent
from .....approvals import ask_in_terminal
from .....exceptions import DecisionError, SyncAIError
from .....stream import StreamedRunResultSync
from ...store import DjangoStore

__all__ = ['Command']


def agent_named(name: str) -> Agent[Any, Any]:
    """The agent at `module:name`.

    Raises:
        CommandError: There is none.
    """
    module, _, attribute = name.partition(':')
    try:
        agent = getattr(import_module(module), attribute or 'agent')
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandError(f"--agent must be as 'mysite.urls:agent', and {name!r} is not: {error}") from None
    if not isinstance(agent, Agent):
        raise CommandError(f'{name} is no Agent, but {type(agent).__name__}')
    return agent


class Command(BaseCommand):
    """The command; an empty line or Ctrl-D ends it, and Ctrl-C stops an answer."""

    help = 'Chat with an agent of the project. Calls that need approval are asked about here.'

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument('--agent', help="The agent, as 'mysite.urls:agent'; by default one without tools.")
        parser.add_argument('--model', help="The model, as 'openai:gpt-5.4-mini', in place of the agent's.")
        parser.add_argument('--conversation', default='terminal', help='The id of the conversation, to go on with.')
        parser.add_argument('--database', default=DEFAULT_DB_ALIAS, help='The alias of the database.')

    def handle(
        self, *_: Any, agent: str | None, model: str | None, conversation: str, database: str, **__: Any
    ) -> None:
        """Read lines, and answer each."""
        chosen = agent_named(agent) if agent else Agent()
        store = DjangoStore(using=database)
        while True:
            try:
                prompt = input('> ').strip()
            except (EOFError, KeyboardInterrupt):
                self.stdout.write('')
                return
            if not prompt:
                return
            try:
                self._answer(chosen, store, conversation, prompt, model)
            except SyncAIError as error:
                self.stderr.write(printable(str(error)))

    def _answer(self, agent: Agent[Any, Any], store: DjangoStore, name: str, prompt: str, model: str | None) -> None:
        """Stream one answer, and store what was said, also of one that was stopped."""
        chat = agent.conversation(name, store=store)
        options: Any = {'model': model, 'approve': ask_in_terminal}
        try:
            if decisions := store.decisions(name):  # those of the admin, before the prompt
                self._write(chat.resume_stream_sync(decisions, **options))
            self._write(chat.run_stream_sync(prompt, **options))
        except DecisionError as error:
            tools = ', '.join(error.tools)
            raise CommandError(f'{tools} waits for a decision in the admin: take another --conversation') from None
        except KeyboardInterrupt:
            self.stdout.write(' [stopped]')

    def _write(self, answer: StreamedRunResultSync[Any]) -> None:
        with answer as stream:
            for text in stream.stream_text(delta=True, debounce_by=None):
                self.stdout.write(printable(text), ending='')
                self.stdout.flush()
        self.stdout.write('')
