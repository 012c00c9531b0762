"""The decorators that register functions with an agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload

from typing_extensions import TypeVar as TypeVarWithDefault

from ..exceptions import UserError
from ..runs import RunContext
from ..tools import Tool, ToolOptions

if TYPE_CHECKING:
    from .._engine.registry import Registry

DepsT = TypeVarWithDefault('DepsT', default=None)
P = ParamSpec('P')
R = TypeVar('R')
F = TypeVar('F', bound=Callable[..., Any])


class Decorators(Generic[DepsT]):
    """Each adds a function to the agent's registry and returns the function unchanged."""

    _registry: Registry

    @overload
    def tool(
        self, function: Callable[Concatenate[RunContext[DepsT], P], R], /, **options: Unpack[ToolOptions[DepsT]]
    ) -> Callable[Concatenate[RunContext[DepsT], P], R]: ...
    @overload
    def tool(
        self, **options: Unpack[ToolOptions[DepsT]]
    ) -> Callable[[Callable[Concatenate[RunContext[DepsT], P], R]], Callable[Concatenate[RunContext[DepsT], P], R]]: ...
    def tool(self, function: Any = None, **options: Any) -> Any:
        """Register a function that the model may call, and whose first parameter is the `RunContext`.

        Use as `@agent.tool` or as `@agent.tool(...)` with the options of `Tool`; the function stays as it is.
        """
        return self._register(function, takes_ctx=True, options=options)

    @overload
    def tool_plain(self, function: F, /, **options: Unpack[ToolOptions[DepsT]]) -> F: ...
    @overload
    def tool_plain(self, **options: Unpack[ToolOptions[DepsT]]) -> Callable[[F], F]: ...
    def tool_plain(self, function: Any = None, **options: Any) -> Any:
        """Register a function that the model may call, without a `RunContext`; otherwise as `tool`."""
        return self._register(function, takes_ctx=False, options=options)

    @overload
    def system_prompt(self, function: F, /) -> F: ...
    @overload
    def system_prompt(self, *, dynamic: bool = False) -> Callable[[F], F]: ...
    def system_prompt(self, function: Any = None, *, dynamic: bool = False) -> Any:
        """Register a function that writes a system prompt: `() -> str` or `(ctx) -> str`, sync or async.

        Args:
            function: The function.
            dynamic: Write the prompt again also when a `message_history` is continued.
        """
        if function is None:
            return lambda function: self._registry.add_prompt(function, dynamic=dynamic)
        return self._registry.add_prompt(function, dynamic=dynamic)

    @overload
    def instructions(self, function: F, /) -> F: ...
    @overload
    def instructions(self) -> Callable[[F], F]: ...
    def instructions(self, function: Any = None) -> Any:
        """Register a function that writes instructions, `() -> str | None` or `(ctx) -> str | None`, sync or async.

        It is called before each request. Its text is sent first, and with that request alone: it is not part of the
        conversation, and is kept as `ModelRequest.instructions`.
        """
        return self._registry.add_instructions if function is None else self._registry.add_instructions(function)

    def result_validator(self, function: F, /) -> F:
        """Register a function that sees every result: `(data)` or `(ctx, data)`, sync or async.

        It returns the result, the same or another, or raises `ModelRetry` to send it back to the model.
        """
        return self._registry.add_validator(function)

    def _register(self, function: Any, *, takes_ctx: bool, options: dict[str, Any]) -> Any:
        if 'takes_ctx' in options:
            raise UserError(
                'takes_ctx is an option of Tool: @agent.tool is for functions whose first parameter is the RunContext, '
                '@agent.tool_plain for those without'
            )

        def register(function: Any) -> Any:
            self._registry.add_tool(Tool(function, takes_ctx=takes_ctx, **options))
            return function

        return register if function is None else register(function)
