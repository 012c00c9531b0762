"""Functions that a model may call, with their options and returns."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypedDict

from typing_extensions import TypeVar

from ._base.call_hints import explain_arguments
from ._base.frozen import dataclass
from ._base.functions import is_async
from ._base.lazy import importer
from ._base.other_arguments import OF_RETURNS, OF_TOOLS
from .exceptions import UserError
from .parameters import ToolDefinition
from .runs import Instructions, InstructionsFunction, RunContext

if TYPE_CHECKING:
    from ._schema import DocstringFormat, FunctionSchema
    from .content import PromptContent

__all__ = [
    'Instructions',
    'InstructionsFunction',
    'RunContext',
    'Tool',
    'ToolApprove',
    'ToolDefinition',
    'ToolOptions',
    'ToolPrepare',
    'ToolReturn',
]

DepsT = TypeVar('DepsT', default=Any)
RunIn: TypeAlias = Literal['caller', 'thread']


@dataclass(frozen=True, slots=True)
class ToolReturn:
    """A return of a tool with more than a value: more content for the model, or data for the program alone.

    Args:
        value: The return for the model: any value that JSON can hold, a file, or a list with files.
        content: User content right after the returns of all tools: text, or a sequence of text and files, such as an
            explained picture; or None.
        metadata: For the program alone. It is kept in the `ToolReturnPart` of the messages and events, and is never
            sent. Stored messages keep what JSON can hold.
    """

    value: Any
    content: str | PromptContent | Sequence[PromptContent] | None = None
    metadata: Any = None


ToolApprove: TypeAlias = Callable[[RunContext[DepsT], dict[str, Any]], bool | str | Awaitable[bool | str | None] | None]
"""Called before a call is made, with its validated arguments by their names: whether it has to be approved, or why it
has to be, for a person to read."""

ToolPrepare: TypeAlias = Callable[
    [RunContext[DepsT], ToolDefinition], ToolDefinition | Awaitable[ToolDefinition | None] | None
]
"""Called before each request: returns the tool as the model should see it, or None to leave it out."""


class ToolOptions(TypedDict, Generic[DepsT], total=False):
    """Options of `@agent.tool` and `@agent.tool_plain`, all optional; `Tool` describes them."""

    name: str | None
    description: str | None
    retries: int | None
    prepare: ToolPrepare[DepsT] | None
    run_in: RunIn
    timeout: float | None
    strict: bool | None
    approve: bool | ToolApprove[DepsT]
    docstring_format: DocstringFormat
    require_parameter_descriptions: bool


class Tool(Generic[DepsT]):
    """A function that the model may call.

    Args:
        function: A sync or async function; its parameters and its docstring are sent to the model.
        takes_ctx: Whether its first parameter is the `RunContext`; None looks at that parameter's annotation.
        name: The name by which the model calls it; None takes the function's.
        description: What it does, for the model to read; None takes the docstring's.
        retries: How many times in a row the model may correct a failed call; None takes the agent's `retries`.
        prepare: Called before each request with the context and the definition; returns the definition to use, or None
            to leave the tool out.
        run_in: Where a sync function runs: with the `'caller'`, in the thread that waits for the run, or in a worker
            `'thread'`, beside the other calls of the same answer.
        timeout: Seconds after which the model reads that the call took too long. Needs an async function or
            `run_in='thread'`.
        strict: Whether the provider should enforce the schema; None leaves it to the provider.
        approve: Whether a call waits until it is approved, or a function `(ctx, args) -> bool` that decides this for
            each call. The run then ends with `RunPaused`, unless its `approve` function decides at once.
        docstring_format: The style of the docstring; `'auto'` finds out.
        require_parameter_descriptions: Whether a parameter without a description is an error.
        max_retries: Another name of `retries`, from older programs.

    Raises:
        UserError: The function has no valid schema, or an argument is wrong.
    """

    __slots__ = ('_arguments', 'approve', 'definition', 'function', 'prepare', 'retries', 'run_in', 'schema', 'timeout')

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        takes_ctx: bool | None = None,
        name: str | None = None,
        description: str | None = None,
        retries: int | None = None,
        prepare: ToolPrepare[DepsT] | None = None,
        run_in: RunIn = 'caller',
        timeout: float | None = None,
        strict: bool | None = None,
        approve: bool | ToolApprove[DepsT] = False,
        docstring_format: DocstringFormat = 'auto',
        require_parameter_descriptions: bool = False,
        max_retries: int | None = None,
    ) -> None:
        from ._schema import function_schema, takes_context

        _check_texts(name=name, description=description)
        retries = max_retries if retries is None else retries
        arguments = locals()
        self._arguments = {key: arguments[key] for key in _ARGUMENTS}
        schema = function_schema(
            function,
            takes_ctx=takes_context(function) if takes_ctx is None else takes_ctx,
            name=name,
            description=description,
            docstring_format=docstring_format,
            require_parameter_descriptions=require_parameter_descriptions,
        )
        self._settle(function, schema, retries, prepare, run_in, timeout, strict, approve)

    @classmethod
    def from_schema(
        cls,
        name: str,
        description: str,
        schema: dict[str, Any],
        function: Callable[..., Any],
        *,
        takes_ctx: bool | None = None,
        retries: int | None = None,
        prepare: ToolPrepare[DepsT] | None = None,
        run_in: RunIn = 'caller',
        timeout: float | None = None,
        strict: bool | None = None,
        approve: bool | ToolApprove[DepsT] = False,
    ) -> Tool[DepsT]:
        """A tool whose arguments a JSON schema describes, such as one that a server or a file lists.

        The arguments are checked against the schema by the rules of draft 2020-12; `format` and `default` are notes to
        the model. What does not fit goes back to the model, as with any tool.

        Args:
            name: The name by which the model calls it.
            description: What it does, for the model to read.
            schema: A JSON schema of an object. References lead into the schema itself; nothing is fetched.
            function: A sync or async function that takes the arguments as one dict, or as `**keywords`, after the
                `RunContext` where it takes one.
            takes_ctx: As in `Tool`, and so are the options that follow.
            retries: How many times in a row the model may correct a failed call.
            prepare: Called before each request.
            run_in: Where a sync function runs.
            timeout: Seconds after which the call took too long.
            strict: Whether the provider should hold the model to the schema.
            approve: Whether a call waits until it is approved.

        Raises:
            UserError: The schema is no JSON schema, or not one of an object; the function does not take a dict; an
                argument is wrong.

        Example:
            ```python
            schema = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
            tool = Tool.from_schema('weather', 'The weather in a city.', schema, lambda args: f'Rain in {args["city"]}')
            ```
        """
        from ._schema import takes_context
        from ._schema.schema_tool import schema_of_tool

        _check_texts(name=name, description=description)
        schema = deepcopy(schema)  # a copy, so that later changes have no effect
        arguments = locals()
        tool = cls.__new__(cls)
        tool._arguments = {key: arguments[key] for key in _ARGUMENTS_OF_SCHEMA}
        with_ctx = takes_context(function) if takes_ctx is None else takes_ctx
        details = schema_of_tool(function, name=name, description=description or '', schema=schema, takes_ctx=with_ctx)
        tool._settle(function, details, retries, prepare, run_in, timeout, strict, approve)
        return tool

    def _settle(
        self,
        function: Callable[..., Any],
        schema: FunctionSchema,
        retries: int | None,
        prepare: ToolPrepare[DepsT] | None,
        run_in: RunIn,
        timeout: float | None,
        strict: bool | None,
        approve: bool | ToolApprove[DepsT],
    ) -> None:
        self.function = function
        self.schema = schema
        self.retries = None if retries is None else check_retries(retries, f'retries of tool {self.name!r}')
        if prepare is not None and not callable(prepare):
            raise UserError(f'prepare of tool {self.name!r} must be a function, not {prepare!r:.100}')
        self.prepare = prepare
        if not isinstance(approve, bool) and not callable(approve):
            raise UserError(
                f'approve of tool {self.name!r} must be True, False or a function of (ctx, args), not {approve!r:.100}'
            )
        self.approve = approve
        self.run_in = _checked_place(run_in, function, self.name)
        self.timeout = _checked_timeout(timeout, function, run_in, self.name)
        self.definition = ToolDefinition(
            name=schema.name,
            description=schema.description,
            parameters_json_schema=schema.json_schema,
            strict=strict,
        )

    @property
    def name(self) -> str:
        """The name by which the model calls it."""
        return self.schema.name

    @property
    def takes_ctx(self) -> bool:
        """Whether the function's first parameter is the `RunContext`."""
        return self.schema.takes_ctx

    def __repr__(self) -> str:
        return f'Tool({self.name!r})'

    def __reduce__(self) -> tuple[Any, ...]:
        # Validators do not travel between processes; the function does, by its name.
        return _restore, (self.function, self._arguments)


_ARGUMENTS = (
    'takes_ctx',
    'name',
    'description',
    'retries',
    'prepare',
    'run_in',
    'timeout',
    'strict',
    'approve',
    'docstring_format',
    'require_parameter_descriptions',
)


_ARGUMENTS_OF_SCHEMA = (
    'name',
    'description',
    'schema',
    'takes_ctx',
    'retries',
    'prepare',
    'run_in',
    'timeout',
    'strict',
    'approve',
)


def _restore(function: Callable[..., Any], arguments: dict[str, Any]) -> Tool[Any]:
    make: Callable[..., Tool[Any]] = Tool.from_schema if 'schema' in arguments else Tool
    return make(function=function, **arguments)


def check_retries(retries: object, what: str) -> int:
    """The number of retries.

    Raises:
        UserError: It is not an integer, 0 or above.
    """
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise UserError(f'{what} must be an integer, 0 or above, not {retries!r}')
    return retries


def _check_texts(**texts: object) -> None:
    for what, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise UserError(f'{what} of a tool must be a str or None, not {text!r:.100}')


def _checked_place(run_in: RunIn, function: Callable[..., Any], name: str) -> RunIn:
    if run_in not in ('caller', 'thread'):
        raise UserError(f"run_in of tool {name!r} must be 'caller' or 'thread', not {run_in!r}")
    if run_in == 'thread' and is_async(function):
        raise UserError(f"Tool {name!r} is async and runs on the loop: run_in='thread' is for sync functions")
    return run_in


def _checked_timeout(timeout: float | None, function: Callable[..., Any], run_in: RunIn, name: str) -> float | None:
    if timeout is None:
        return None
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not 0 < timeout < math.inf:
        raise UserError(f'timeout of tool {name!r} must be a number of seconds above 0, not {timeout!r}')
    if run_in == 'caller' and not is_async(function):
        raise UserError(
            f"A timeout cannot stop the sync function of tool {name!r} in its caller's thread: "
            "make it async, or register it with run_in='thread'"
        )
    return timeout


explain_arguments(Tool, OF_TOOLS)
explain_arguments(ToolReturn, OF_RETURNS)

if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})
