"""The functions that an agent was given: tools, system prompts and result validators."""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .._schema import ResultSpec
from ..exceptions import UserError
from ..tools import Tool
from .plan import PromptFunction, UserFunction

F = TypeVar('F', bound=Callable[..., Any])


class Registry:
    """Filled while the program starts; a run takes copies, so that a later addition does not disturb it.

    Args:
        system_prompts: Texts that every run begins with.
        tools: The first tools.
        spec: The result type, whose tools share their names with nothing else.
    """

    def __init__(self, system_prompts: str | Iterable[str], tools: Iterable[Any], spec: ResultSpec[Any]) -> None:
        self.system_prompts = _checked_prompts(system_prompts)
        self.prompt_functions: list[PromptFunction] = []
        self.validators: list[UserFunction] = []
        self.tools: dict[str, Tool[Any]] = {}
        self._spec = spec
        if not isinstance(tools, Iterable) or isinstance(tools, str):
            raise UserError(f'tools must be a list of functions and Tools, not {type(tools).__name__}')
        for tool in tools:
            self.add_tool(tool if isinstance(tool, Tool) else Tool(tool))

    def copy(self) -> Registry:
        """Another registry of the same functions."""
        other = copy.copy(self)
        other.prompt_functions, other.validators = list(self.prompt_functions), list(self.validators)
        other.tools = dict(self.tools)
        return other

    def add_tool(self, tool: Tool[Any]) -> None:
        """Register a tool.

        Raises:
            UserError: Its name is taken.
        """
        if tool.name in self.tools:
            raise UserError(f'The agent has a tool {tool.name!r} already: give one of the two another name=...')
        if tool.name in self._spec.tools:
            raise UserError(
                f'{tool.name!r} is the name of the tool by which the model gives its result: give the function '
                'another name=..., or the result another result_tool_name=...'
            )
        self.tools[tool.name] = tool

    def add_prompt(self, function: F, *, dynamic: bool) -> F:
        """Register a function that writes a system prompt."""
        takes_ctx = _parameter_count(function, 'system prompt', 0, 1) == 1
        ref = self._unused_ref(function) if dynamic else None
        self.prompt_functions.append(PromptFunction(function=function, takes_ctx=takes_ctx, dynamic_ref=ref))
        return function

    def _unused_ref(self, function: Callable[..., Any]) -> str:
        name = getattr(function, '__qualname__', type(function).__qualname__)
        taken = [prompt.dynamic_ref for prompt in self.prompt_functions]
        numbered = (name if number == 1 else f'{name}_{number}' for number in itertools.count(1))
        return next(ref for ref in numbered if ref not in taken)

    def add_validator(self, function: F) -> F:
        """Register a function that checks, and may replace, a result."""
        takes_ctx = _parameter_count(function, 'result validator', 1, 2) == 2
        self.validators.append(UserFunction(function=function, takes_ctx=takes_ctx))
        return function


def _checked_prompts(system_prompts: object) -> tuple[str, ...]:
    texts = (system_prompts,) if isinstance(system_prompts, str) else system_prompts
    if not isinstance(texts, Iterable) or isinstance(texts, bytes):
        raise UserError(f'system_prompt must be a str or a sequence of them, not {type(texts).__name__}')
    prompts = tuple(texts)
    for text in prompts:
        if not isinstance(text, str):
            raise UserError(
                f'system_prompt must be a str or a sequence of them, and holds a value of {type(text).__name__}; '
                'a function is registered with @agent.system_prompt'
            )
    return prompts


def _parameter_count(function: Callable[..., Any], what: str, least: int, most: int) -> int:
    if not callable(function):
        raise UserError(f'A {what} must be a function, not {function!r:.100}')
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        raise UserError(f'The signature of {function!r:.100} cannot be read: wrap it in a function') from None
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not least <= len(required) <= most:
        name = getattr(function, '__name__', repr(function))
        wanted = '(ctx) or none' if least == 0 else '(data) or (ctx, data)'
        raise UserError(f'The {what} {name!r} must take {wanted}, not {len(required)} parameters')
    return len(required)
