"""The tools that a provider runs for a request: their number of uses, and their cost besides the answer; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ['server_tools', 'ServerTools']

USES = 5
"""The assumed uses of a tool without a limit in the request."""

TOKENS_OF_USE = 10_000
"""The tokens that one use adds to the prompt: the pages or the results."""

_BOUNDS = ('max_uses', 'maxUses')
# The prefix of a tool's type (with Google its name), and the fee of a use by the names of genai-prices. None: only
# tokens are billed, as for fetched pages
# (https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool).
_KINDS: tuple[tuple[str, str | None], ...] = (
    ('web_search', 'web_searches'),
    ('browser_search', 'web_searches'),
    ('x_search', 'web_searches'),
    ('google_search', 'web_searches'),
    ('google_maps', 'maps'),
    ('file_search', 'storage_searches'),
    ('code_interpreter', 'code_executions'),
    ('image_generation', 'images'),
    ('web_fetch', None),
    ('url_context', None),
    ('code_execution', None),
)
_FREE_STORAGE = ('google', 'google-vertex')  # searches in files are billed by their tokens


@dataclass(frozen=True, slots=True)
class ServerTools:
    """The highest cost of the tools of a request.

    Attributes:
        fees: Paid uses, by the names of genai-prices.
        tokens: The tokens that they add to the prompt.
    """

    fees: Mapping[str, int] = field(default_factory=dict)
    tokens: int = 0


def server_tools(system: str, settings: Mapping[str, Any]) -> ServerTools:
    """The highest cost of the provider's tools in a request with these settings."""
    fees: dict[str, int] = {}
    tokens = 0
    most = _body(settings).get('max_tool_calls')  # of https://platform.openai.com/docs/api-reference/responses/create
    for kind, tool in _tools(settings):
        uses = _uses(tool, most)
        tokens += uses * TOKENS_OF_USE
        fee = dict(_KINDS)[kind]
        if fee is not None and not (fee == 'storage_searches' and system in _FREE_STORAGE):
            fees[fee] = fees.get(fee, 0) + uses
    return ServerTools(fees, tokens)


def _tools(settings: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The known tools, in all places where a program may write them."""
    if settings.get('openai_web_search_options') is not None:
        yield 'web_search', {}
    for tools in (settings.get('openai_builtin_tools'), _body(settings).get('tools')):
        for tool in tools if isinstance(tools, list | tuple) else ():
            if isinstance(tool, Mapping):
                yield from _kinds_of(tool)


def _kinds_of(tool: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    kind = tool.get('type')
    names = [kind.rpartition(':')[2]] if isinstance(kind, str) else [_snake_case(name) for name in tool]
    for name in names:
        known_kind = next((one for one, _ in _KINDS if name.startswith(one)), None)
        if known_kind is not None:
            yield known_kind, tool


def _uses(tool: Mapping[str, Any], most: object) -> int:
    """The highest number of uses: from the tool, its parameters, or the request."""
    parameters = tool.get('parameters')
    places = [tool, parameters if isinstance(parameters, Mapping) else {}]
    bounds = [place.get(name) for place in places for name in _BOUNDS]
    numbers = [one for one in (*bounds, most) if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    return min(numbers, default=USES)


def _body(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    body = settings.get('extra_body')
    return body if isinstance(body, Mapping) else {}


def _snake_case(name: object) -> str:
    return ''.join(f'_{c.lower()}' if c.isupper() else c for c in str(name))
