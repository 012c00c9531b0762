"""The rules of each wire format for the conversation in a request.

Providers answer a violation with 400, in these words:

- OpenAI Chat Completions: "An assistant message with 'tool_calls' must be followed by tool messages responding to each
  'tool_call_id'", "messages with role 'tool' must be a response to a preceding message with 'tool_calls'".
- Mistral: "Not the same number of function calls and responses", "Unexpected role 'user' after role 'tool'", and ids of
  nine letters and digits.
- OpenAI Responses: "No tool output found for function call", "No tool call found for function call output".
- Anthropic: "`tool_use` ids were found without `tool_result` blocks immediately after", "unexpected `tool_use_id` found
  in `tool_result` blocks", "`tool_use` ids must be unique"; the first message is the user's.
- Gemini: "the number of function response parts is equal to the number of function call parts of the function call
  turn", "function call turn comes immediately after a user turn or after a function response turn".
- Bedrock Converse: as Anthropic ("Expected toolResult blocks at messages.2.content for the following Ids", "A
  conversation must start with a user message").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any


def chat_flaws(body: Any) -> Iterator[str]:
    waiting: Counter[str] = Counter()
    messages = [m for m in body['messages'] if m['role'] not in ('system', 'developer')]
    if messages and messages[0]['role'] != 'user':
        yield f'begins with {messages[0]["role"]}'
    for message in body['messages']:
        if message['role'] == 'tool':
            waiting[message['tool_call_id']] -= 1
            continue
        if +waiting or -waiting:
            yield f'calls and tool messages differ: {waiting}'
        waiting = Counter(call['id'] for call in message.get('tool_calls') or ())
    if +waiting or -waiting:
        yield f'calls and tool messages differ at the end: {waiting}'


def mistral_flaws(body: Any) -> Iterator[str]:
    yield from chat_flaws(body)
    for before, after in pairwise(body['messages']):
        if (before['role'], after['role']) == ('tool', 'user'):
            yield 'user after tool'
    for call in (call for message in body['messages'] for call in message.get('tool_calls') or ()):
        if len(call['id']) != 9 or not call['id'].isalnum():
            yield f'id {call["id"]}'


def responses_flaws(body: Any) -> Iterator[str]:
    called: Counter[str] = Counter()
    for item in body['input']:
        if item.get('type') == 'function_call':
            called[item['call_id']] += 1
        elif item.get('type') == 'function_call_output':
            called[item['call_id']] -= 1
            if called[item['call_id']] < 0:
                yield f'output without a call: {item["call_id"]}'
    if +called:
        yield f'calls without an output: {called}'


def turn_flaws(turns: list[tuple[str, list[str], list[str]]]) -> Iterator[str]:
    """Of turns as (role, ids of calls, ids of results)."""
    if turns[0][0] != 'user':
        yield 'begins with the model'
    for (before, called, _), (after, _, returned) in pairwise([('', [], []), *turns, ('', [], [])]):
        if sorted(called) != sorted(returned):
            yield f'calls {called}, results {returned}'
        if before == after:
            yield f'two turns of {after}'


def anthropic_flaws(body: Any) -> Iterator[str]:
    def ids(content: Any, kind: str, name: str) -> list[str]:
        return [block[name] for block in content if block['type'] == kind]

    turns = [(m['role'], m['content']) for m in body['messages']]
    yield from turn_flaws([(r, ids(c, 'tool_use', 'id'), ids(c, 'tool_result', 'tool_use_id')) for r, c in turns])
    call_ids = [one for _, content in turns for one in ids(content, 'tool_use', 'id')]
    if len(call_ids) != len(set(call_ids)):
        yield f'ids are used twice: {call_ids}'
    yield from _results_first([[block['type'] == 'tool_result' for block in content] for _, content in turns])


def bedrock_flaws(body: Any) -> Iterator[str]:
    def ids(content: Any, kind: str) -> list[str]:
        return [block[kind]['toolUseId'] for block in content if kind in block]

    turns = [(m['role'], m['content']) for m in body['messages']]
    yield from turn_flaws([(role, ids(c, 'toolUse'), ids(c, 'toolResult')) for role, c in turns])
    yield from _results_first([['toolResult' in block for block in content] for _, content in turns])


def google_flaws(body: Any) -> Iterator[str]:
    def names(parts: Any, kind: str) -> list[str]:
        return [part[kind]['name'] for part in parts if kind in part]

    turns = [(turn['role'], turn['parts']) for turn in body['contents']]
    # The names differ where a return names another tool than its call; Gemini counts them.
    counted = [(r, ['x'] * len(names(p, 'functionCall')), ['x'] * len(names(p, 'functionResponse'))) for r, p in turns]
    yield from turn_flaws(counted)
    yield from _results_first([['functionResponse' in part for part in parts] for _, parts in turns])


def _results_first(turns: list[list[bool]]) -> Iterator[str]:
    yield from (f'something before a result: {turn}' for turn in turns if turn != sorted(turn, reverse=True))


FLAWS: dict[str, Callable[[Any], Iterator[str]]] = {
    'chat': chat_flaws,
    'mistral': mistral_flaws,
    'responses': responses_flaws,
    'anthropic': anthropic_flaws,
    'google': google_flaws,
    'bedrock': bedrock_flaws,
}
