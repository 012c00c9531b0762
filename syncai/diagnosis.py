"""The open calls of this process, for a program that seems to hang."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

__all__ = ['debug']


def debug(*, file: TextIO | None = None, quiet: bool = False) -> str:
    """The open calls of this process: the age of each, what it waits for, where it was made, and its thread.

    Works from any thread, from a signal handler, and while the loop thread is blocked, because it takes no lock and
    waits for nothing. It shows lines of the program, but no values of variables, prompts or keys.

    Args:
        file: The file to print to; None prints to standard error.
        quiet: Do not print.
    """
    text = '\n'.join(_lines()) + '\n'
    if not quiet:
        print(text, end='', file=sys.stderr if file is None else file, flush=True)
    return text


def _lines() -> Iterator[str]:
    from ._bridge import loop_stack, open_calls, stack_of

    calls = open_calls()
    yield f'syncai: {len(calls)} open call{"" if len(calls) == 1 else "s"}'
    if (busy := loop_stack()) is not None:
        yield 'The loop thread is at work, or blocked, here:'
        yield from _indented(busy)
    for number, call in enumerate(calls, 1):
        yield f'{number}. {call.name}, for {call.seconds:.1f} s, waits for {call.waits_for}'
        yield f'   made at {call.made_at}'
        for step in call.steps:
            yield f'   at {step}'
        if call.reader is None:
            yield '   no thread waits for it now: it was submitted, or is awaited, or nobody reads it'
            continue
        name, stack = stack_of(call.reader)
        yield f'   {name} waits for it:'
        yield from _indented(stack)


def _indented(stack: list[str]) -> Iterator[str]:
    for entry in stack:
        for line in entry.rstrip().splitlines():
            yield f'     {line}'
