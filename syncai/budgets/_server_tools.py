"""The tools that a provider runs for a request: how often, and what that may cost beside the answer; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ['server_tools', 'ServerTools']

USES = 5
"""How many uses of a tool are assumed that the request does not bound."""

TOKENS_OF_USE = 10_000
"""The tokens that one use adds to the prompt: the pages that were read, or what was found."""

_BOUNDS = ('max_uses', 'maxUses')
# The beginning of a tool's type, or its name with Google, and what is paid for each use by the names of genai-prices.
# None: tokens alone are paid, as with pages that are fetched
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
_FREE_STORAGE = ('google', 'google-vertex')  # of which searches in files are paid by their tokens


@dataclass(frozen=True, slots=True)
class ServerTools:
    """What the tools of a request may come to.

    Attributes:
        fees: Paid uses, by the names of genai-prices.
        tokens: Those that they add to the prompt.
    """

    fees: Mapping[str, int] = field(default_factory=dict)
    tokens: int = 0


def server_tools(system: str, settings: Mapping[str, Any]) -> ServerTools:
    """What the tools may come to that the provider runs for a request with these settings."""
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
    """The tools with what is known of them, wherever a program may write them."""
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
        known = next((one for one, _ in _KINDS if name.startswith(one)), None)
        if known is not None:
            yield known, tool


def _uses(tool: Mapping[str, Any], most: object) -> int:
    """How often a tool may be used: as it says itself, or its parameters, or the request."""
    parameters = tool.get('parameters')
    places = [tool, parameters if isinstance(parameters, Mapping) else {}]
    bounds = [place.get(name) for place in places for name in _BOUNDS]
    known = [one for one in (*bounds, most) if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    return min(known, default=USES)


def _body(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    body = settings.get('extra_body')
    return body if isinstance(body, Mapping) else {}


def _snake_case(name: object) -> str:
    return ''.join(f'_{c.lower()}' if c.isupper() else c for c in str(name))
