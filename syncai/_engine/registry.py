"""The registered functions of an agent: tools, system prompts and result validators."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from .._base.json_values import sendable_text
from .._schema import ResultSpec
from ..exceptions import UserError
from ..tools import Tool
from .instructions import Source, instruction_sources
from .user_functions import PromptFunction, UserFunction, user_function

F = TypeVar('F', bound=Callable[..., Any])


class Registry:
    """The registry of an agent. A run takes a copy, so later additions do not change it.

    Args:
        system_prompts: Texts that every run begins with.
        tools: The first tools.
        spec: The result type, whose tools share their names with nothing else.
        instructions: What every request begins with.
    """

    def __init__(
        self,
        system_prompts: str | Iterable[str],
        tools: object,
        spec: ResultSpec[Any],
        instructions: object = None,
    ) -> None:
        self.system_prompts = _checked_prompts(system_prompts)
        self.instructions: list[Source] = list(instruction_sources(instructions))
        self.foreign_prompts: set[str] = set()  # added to by any thread, under no lock: at worst one is logged twice
        self.prompt_functions: list[PromptFunction] = []
        self.validators: list[UserFunction] = []
        self.tools: dict[str, Tool[Any]] = {}
        self._spec = spec
        for tool in ready_tools(tools):
            self.add_tool(tool)

    def copy(self) -> Registry:
        """Another registry of the same functions."""
        other = copy.copy(self)
        other.prompt_functions, other.validators = list(self.prompt_functions), list(self.validators)
        other.instructions, other.foreign_prompts = list(self.instructions), set()
        other.tools = dict(self.tools)
        return other

    def for_run(self, spec: ResultSpec[Any], tools: object) -> Registry:
        """A copy for one run with more tools or another result type."""
        other = copy.copy(self)
        other._spec, other.tools = spec, {}
        for tool in (*self.tools.values(), *ready_tools(tools)):
            other.add_tool(tool)
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
        takes_ctx = user_function(function, 'system prompt', 0, 1).takes_ctx
        name = getattr(function, '__qualname__', type(function).__qualname__)
        written_by = _unused(
            f'{getattr(function, "__module__", None)}:{name}', [prompt.written_by for prompt in self.prompt_functions]
        )
        ref = _unused(name, [prompt.dynamic_ref for prompt in self.prompt_functions]) if dynamic else None
        self.prompt_functions.append(
            PromptFunction(function=function, takes_ctx=takes_ctx, written_by=written_by, dynamic_ref=ref)
        )
        return function

    def add_instructions(self, function: F) -> F:
        """Register a function that writes instructions."""
        self.instructions.extend(instruction_sources(function))
        return function

    def add_validator(self, function: F) -> F:
        """Register a function that checks, and may replace, a result."""
        self.validators.append(user_function(function, 'result validator', 1, 2))
        return function


def ready_tools(tools: object) -> list[Tool[Any]]:
    """The tools in the `tools` argument of an agent or a run.

    Raises:
        UserError: It is no list of functions and `Tool`s.
    """
    if not isinstance(tools, Iterable) or isinstance(tools, str | bytes | dict):
        raise UserError(f'tools must be a list of functions and Tools, not {type(tools).__name__}')
    return [tool if isinstance(tool, Tool) else Tool(tool) for tool in tools]


def _checked_prompts(system_prompts: object) -> tuple[str, ...]:
    texts = (system_prompts,) if isinstance(system_prompts, str) else system_prompts
    if not isinstance(texts, Iterable) or isinstance(texts, bytes | dict):
        raise UserError(f'system_prompt must be a str or a sequence of them, not {type(texts).__name__}')
    prompts = tuple(texts)
    for text in prompts:
        if not isinstance(text, str):
            raise UserError(
                f'system_prompt must be a str or a sequence of them, and holds a value of {type(text).__name__}; '
                'a function is registered with @agent.system_prompt'
            )
    return tuple(sendable_text(text, 'A system_prompt') for text in prompts)


def _unused(name: str, in_use: Sequence[str | None]) -> str:
    """The name, with a number appended if another function has it."""
    numbered = (name if number == 1 else f'{name}_{number}' for number in itertools.count(1))
    return next(one for one in numbered if one not in in_use)
