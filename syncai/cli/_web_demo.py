"""The agent of `syncai web --demo`: a model within the program, which shows what the page can do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..agent import Agent
from ..models.openai import OpenAIChatModel

if TYPE_CHECKING:
    from ..testing import RecordedRequest, Reply

__all__ = ['demo_agent']

_ANSWER = """\
This answer comes from a model **within this program**; every word of it crossed a real socket, reached the event loop
of one background thread, and went on to the page as it came.

What the page shows:

- text with *Markdown*: lists, `code`, [links](https://example.org) and tables
- thoughts, folded
- calls of tools with their arguments and what they returned: ask about the **weather**

| key | what it does |
|---|---|
| Enter | sends |
| Shift+Enter | begins a new line |
| Esc | stops the answer, and the model |

```python
from syncai import Agent

print(Agent('openai:gpt-5.4-mini').run_sync('Hello').data)
```
"""


@contextmanager
def demo_agent() -> Iterator[Agent[None, str]]:
    """The agent, while the block runs."""
    from ..testing import ModelServer

    with ModelServer(_answer) as server:
        agent = Agent(OpenAIChatModel('demo', base_url=server.base_url))

        @agent.tool_plain
        def weather(city: str) -> str:
            """The weather in a city."""
            return f'Sunny in {city}, 21 °C'

        yield agent


def _answer(request: RecordedRequest) -> Reply:
    from ..testing import Reply, ToolCall

    messages: list[dict[str, Any]] = request.json['messages']
    latest = messages[-1]
    if latest['role'] == 'tool':
        return _in_words(f'I looked it up: **{latest["content"]}**.')
    if 'weather' in str(latest['content']).lower():
        return Reply(tool_calls=[ToolCall('weather', {'city': 'Paris'})], usage=(95, 24))
    return _in_words(_ANSWER, thinking='Somebody says hello. ' * 3 + 'I show what this page can do.')


def _in_words(text: str, thinking: str | None = None) -> Reply:
    from ..testing import Reply

    words = [f'{word} ' for word in text.split(' ')]
    return Reply(*words, thinking=thinking or '', usage=(18, len(words)), delay_between_events=0.02)
