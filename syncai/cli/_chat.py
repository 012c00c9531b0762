"""`syncai chat`: a conversation in the terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from .._base.printable import printable
from ..agent import Agent
from ..approvals import PendingCall, ask_in_terminal
from ..content import BinaryContent
from ..conversations import Conversation, SQLiteStore
from ..exceptions import SyncAIError, UserError
from ..result import RunPaused
from ..stream import StreamedRunEventsSync
from ._agents import agent_at, is_place
from ._answer import AnswerView, footer
from ._run import exits_with_status, price_of

__all__ = ['chat']

_HELP = """\
/file PATH   send a file with the next message
/model NAME  ask another model, as in anthropic:claude-sonnet-5-5
/undo        take back the last message and its answer
/new         forget the conversation and begin again
/exit        leave; so does Ctrl-D
Enter sends, Alt-Enter begins a new line, Ctrl-C stops an answer."""


@click.command()
@click.argument('model', required=False)
@click.option('--agent', 'place', metavar='MODULE:AGENT', help='An agent of yours in place of a model.')
@click.option('--conversation', 'name', metavar='NAME', help='Kept under this name, and gone on with the next time.')
@click.option(
    '--store', type=click.Path(path_type=Path), help='The file of conversations; else in your data directory.'
)
@click.option('-s', '--system', metavar='TEXT', help='Instructions for the model.')
def chat(model: str | None, place: str | None, name: str | None, store: Path | None, system: str | None) -> None:
    """Talk to a MODEL (provider:name), or to an agent of yours (module:agent).

    Ctrl-C stops an answer and not the program; calls that need approval are asked about in place.
    """
    with exits_with_status():
        if model and not place and is_place(model):
            model, place = None, model
        agent: Agent[Any, Any] = agent_at(place) if place else Agent(system_prompt=system or ())
        options: dict[str, Any] = {'store': SQLiteStore(store or _default_store())} if name else {}
        talk = agent.conversation(name, **options)
        _Chat(talk, Console(highlight=False, emoji=False), model).run()


def _default_store() -> Path:
    home = os.environ.get('XDG_DATA_HOME') or Path.home() / '.local' / 'share'
    directory = Path(home) / 'syncai'
    directory.mkdir(parents=True, exist_ok=True)
    return directory / 'conversations.db'


class _Chat:
    """The loop: read a message, show the answer."""

    def __init__(self, talk: Conversation[Any, Any], console: Console, model: str | None) -> None:
        self._talk = talk
        self._console = console
        self._model = model
        self._files: list[BinaryContent] = []
        self._read = _reader(console)

    def run(self) -> None:
        if number := len(self._talk.messages()):
            self._console.print(Text(f'{number} messages so far. /help shows the commands.', 'dim'))
        while True:
            try:
                text = self._read().strip()
            except KeyboardInterrupt:
                continue  # the line is taken back
            except EOFError:
                return
            if text == '/exit':
                return
            try:
                self._command(text) if text.startswith('/') else self._ask(text)
            except KeyboardInterrupt:
                self._console.print(Text('(stopped)', 'dim'))
            except RunPaused as paused:
                names = ', '.join(call.tool_name for call in paused.pending)
                self._console.print(Text(f'The run waits for approval of {names}.', 'yellow'))
            except SyncAIError as error:
                self._console.print(Text(printable(f'{type(error).__name__}: {error}'), 'red'), soft_wrap=True)

    def _command(self, text: str) -> None:
        name, _, argument = text[1:].partition(' ')
        commands: dict[str, Callable[[str], None]] = {
            'file': self._file,
            'model': self._take_model,
            'undo': self._undo,
            'new': self._new,
        }
        command = commands.get(name)
        if command is None:
            self._console.print(Text(_HELP if name == 'help' else f'There is no /{name}.\n{_HELP}', 'dim'))
        else:
            command(argument.strip())

    def _file(self, argument: str) -> None:
        self._files.append(BinaryContent.from_path(Path(argument).expanduser()))
        self._console.print(Text(f'{argument} goes with the next message', 'dim'))

    def _take_model(self, argument: str) -> None:
        self._model = argument or None
        self._console.print(Text(f'asking {argument or "the first model"}', 'dim'))

    def _undo(self, argument: str) -> None:
        del argument
        prompts = [at for at, message in enumerate(self._talk.messages()) if _is_prompt(message)]
        if prompts:
            self._talk.rewind(to=prompts[-1])
        self._console.print(Text('taken back' if prompts else 'there is nothing to take back', 'dim'))

    def _new(self, argument: str) -> None:
        del argument
        self._talk.rewind(to=0)
        self._files = []
        self._console.print(Text('a new conversation', 'dim'))

    def _ask(self, text: str) -> None:
        if waiting := self._talk.pending():
            self._decide(waiting)
        if not text:
            return
        files, self._files = self._files, []
        self._show(partial(self._talk.run_stream_events_sync, [text, *files] if files else text))

    def _decide(self, waiting: Sequence[PendingCall]) -> None:
        """Ask about calls that were left waiting, here or in another program, and continue with the run."""
        self._console.print(Text('Before that, the last answer waits for you:', 'dim'))
        answers = {call.id: ask_in_terminal(call) for call in waiting}
        decided = {id: decision for id, decision in answers.items() if decision is not None}  # noqa: A001
        if len(decided) == len(waiting):
            self._show(partial(self._talk.resume_stream_events_sync, decided))
        else:
            raise UserError('The answer still waits; /undo takes it back')

    def _show(self, start: Callable[..., StreamedRunEventsSync[Any]]) -> None:
        """Show a run as it happens."""
        view, began = AnswerView(self._console), time.monotonic()
        options: dict[str, Any] = {'approve': view.approve} | ({'model': self._model} if self._model else {})
        try:
            with view.shown(), start(**options) as events:
                for event in events:
                    view.take(event)
                result = events.result
        except BaseException:
            view.keep()
            raise
        view.end(result.data)
        self._console.print(Text(footer(result.usage(), price_of(result), began), 'dim'), justify='right')


def _is_prompt(message: Any) -> bool:
    return any(part.part_kind == 'user-prompt' for part in message.parts)


def _reader(console: Console) -> Callable[[], str]:
    """A function that reads one message: with editing in a terminal, else a line of standard input."""
    if not (sys.stdin.isatty() and console.is_terminal):
        return _read_line
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    keys.add('enter')(lambda event: event.current_buffer.validate_and_handle())
    keys.add('escape', 'enter')(lambda event: event.current_buffer.insert_text('\n'))
    session: PromptSession[str] = PromptSession('> ', multiline=True, key_bindings=keys, enable_open_in_editor=True)
    return session.prompt


def _read_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
