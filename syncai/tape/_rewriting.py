"""Texts without private data (`redact`), and without data to ignore in comparisons (`ignore`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ..exceptions import UserError

Rewriting: TypeAlias = 'str | re.Pattern[str] | Callable[[str], str]'
"""A regular expression whose matches are replaced, or a function that returns the text to keep."""

Rewrite: TypeAlias = Callable[[str], str]


def rewriting(name: str, rules: Rewriting | Iterable[Rewriting], replacement: str) -> Rewrite | None:
    """One function that applies all rules in their order, or None if there are none.

    Raises:
        UserError: A rule is no pattern and no function; names the argument.
    """
    if isinstance(rules, str | re.Pattern) or callable(rules):
        rules = [rules]
    steps = [_step(name, rule, replacement) for rule in rules]
    if not steps:
        return None

    def rewrite(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return rewrite


def in_turn(*rewrites: Rewrite | None) -> Rewrite | None:
    """The given functions, one after another."""
    steps = [rewrite for rewrite in rewrites if rewrite is not None]
    return rewriting('', steps, '')


def rewritten(rewrite: Rewrite, value: Any) -> Any:
    """A JSON value with each text in it rewritten; the keys of objects stay."""
    if isinstance(value, str):
        return rewrite(value)
    if isinstance(value, list):
        return [rewritten(rewrite, item) for item in value]
    if isinstance(value, dict):
        return {key: rewritten(rewrite, item) for key, item in value.items()}
    return value


def _step(name: str, rule: object, replacement: str) -> Rewrite:
    if isinstance(rule, str):
        try:
            rule = re.compile(rule)
        except re.error as error:
            raise UserError(f'{name} holds {rule!r:.100}, which is no regular expression: {error}') from None
    if isinstance(rule, re.Pattern):
        return _substitution(rule, replacement)
    if callable(rule):
        return _function(name, rule)
    raise UserError(f'{name} takes regular expressions and functions of a text, not {rule!r:.100}')


def _substitution(pattern: re.Pattern[Any], replacement: str) -> Rewrite:
    if isinstance(pattern.pattern, bytes):
        raise UserError(f'The pattern {pattern.pattern!r:.100} is of bytes: tapes hold text, so make it of a str')
    return lambda text: pattern.sub(lambda _: replacement, text)


def _function(name: str, function: Callable[[str], Any]) -> Rewrite:
    def rewrite(text: str) -> str:
        rewritten_text = function(text)
        if not isinstance(rewritten_text, str):
            raise UserError(f'A function of {name} must return the text to keep, not {rewritten_text!r:.100}')
        return rewritten_text

    return rewrite
