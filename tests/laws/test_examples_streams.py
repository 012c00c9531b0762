"""The first programs of new users with streams, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
import itertools
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from typing_extensions import TypedDict

from syncai import Agent
from syncai.testing import Reply, ToolCall

if TYPE_CHECKING:
    from scripted import Play

FORMS = pytest.mark.parametrize('form', ['sync', 'async'])


def collected(form: str, agent: Agent[Any, Any], prompt: str, method: str, **options: Any) -> list[Any]:
    """All items of one way to read a stream."""
    if form == 'sync':
        with agent.run_stream_sync(prompt) as result:
            return list(getattr(result, method)(**options))

    async def main() -> list[Any]:
        async with agent.run_stream(prompt) as result:
            return [item async for item in getattr(result, method)(**options)]

    return asyncio.run(main())


# --- 5: text, whole and in pieces -------------------------------------------------------------------------------------

PIECES = ('The first known use ', 'of "hello, world" was in ', 'a 1974 textbook ', 'about the C programming language.')


@pytest.mark.slow
@FORMS
def test_5_the_whole_text_so_far(play: Play, form: str) -> None:
    agent = Agent(play(Reply(*PIECES)))
    texts = collected(form, agent, 'Where does "hello world" come from?', 'stream', debounce_by=None)
    assert texts[-1] == ''.join(PIECES)
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert texts[0] == PIECES[0]


@FORMS
def test_5_the_pieces_of_the_text(play: Play, form: str) -> None:
    agent = Agent(play(Reply(*PIECES)))
    pieces = collected(form, agent, 'Where does "hello world" come from?', 'stream_text', delta=True, debounce_by=None)
    assert pieces == list(PIECES)


@FORMS
def test_5_the_result_after_the_text(play: Play, form: str) -> None:
    agent = Agent(play(Reply(*PIECES, usage=(9, 20))))
    if form == 'sync':
        with agent.run_stream_sync('?') as result:
            assert ''.join(result.stream_text(delta=True)) == result.get_data() == ''.join(PIECES)
            assert result.is_complete
            messages = result.all_messages()
    else:

        async def main() -> Any:
            async with agent.run_stream('?') as result:
                text = ''.join([piece async for piece in result.stream_text(delta=True)])
                assert text == await result.get_data() == ''.join(PIECES)
                return result.all_messages()

        messages = asyncio.run(main())
    assert [message.kind for message in messages] == ['request', 'response']
    assert getattr(messages[-1], 'text', '') == ''.join(PIECES)


# --- 6: a profile that grows ------------------------------------------------------------------------------------------


class UserProfile(TypedDict, total=False):
    name: str
    dob: date
    bio: str


PROFILE = {'name': 'Ben', 'dob': '1990-01-28', 'bio': 'Likes the chain the dog and the pyramid'}
WHOLE = {**PROFILE, 'dob': date(1990, 1, 28)}


@FORMS
def test_6_a_profile_that_grows(play: Play, form: str) -> None:
    model = play(Reply(tool_calls=[ToolCall('final_result', PROFILE, pieces=20)]))
    agent = Agent(model, result_type=UserProfile, system_prompt='Extract a user profile from the input')
    text = 'My name is Ben, I was born on January 28th 1990, I like the chain the dog and the pyramid.'
    profiles = collected(form, agent, text, 'stream', debounce_by=None)
    assert profiles[-1] == profiles[-2] == WHOLE
    assert {'name': 'Ben'} in profiles
    assert {'name': 'Ben', 'dob': date(1990, 1, 28)} in profiles
    lengths = [len(str(profile)) for profile in profiles]
    assert lengths == sorted(lengths)


# --- 7: validation in one's own hands ---------------------------------------------------------------------------------


@FORMS
def test_7_messages_validated_by_the_caller(play: Play, form: str) -> None:
    model = play(Reply(tool_calls=[ToolCall('final_result', PROFILE, pieces=20)]))
    agent = Agent(model, result_type=UserProfile)
    profiles: list[Any] = []
    if form == 'sync':
        with agent.run_stream_sync('My name is Ben...') as result:
            for message, last in result.stream_structured(debounce_by=0.01):
                try:
                    profile = result.validate_structured_result(message, allow_partial=not last)
                except ValidationError:
                    continue
                profiles.append(profile)
    else:

        async def main() -> None:
            async with agent.run_stream('My name is Ben...') as result:
                async for message, last in result.stream_structured(debounce_by=0.01):
                    try:
                        profile = await result.validate_structured_result(message, allow_partial=not last)
                    except ValidationError:
                        continue
                    profiles.append(profile)

        asyncio.run(main())
    assert profiles
    assert profiles[-1] == WHOLE
