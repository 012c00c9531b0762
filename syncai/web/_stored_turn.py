"""A page's turn in a conversation stored by the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..conversations import Conversation
from ..conversations._keep import prompts_in
from ..exceptions import ChatRequestError
from ..messages import ModelMessage, UserPromptPart
from ._request import ChatRequest

if TYPE_CHECKING:
    from ..agent import Agent
    from ..conversations import Store
    from ..stream import StreamedRunEventsSync


def stored_stream(agent: Agent[Any, Any], store: Store, asked: ChatRequest, deps: Any) -> StreamedRunEventsSync[Any]:
    """The events of a run in the page's conversation: for a prompt, a repeated prompt, or decisions. A conversation
    that the store lacks, such as one kept in the memory of an ended process, begins with the page's copy of it.

    Raises:
        ChatRequestError: The page sends no id of the conversation.
    """
    if asked.id is None:
        raise ChatRequestError('The page must send the id of its conversation.')
    chat = agent.conversation(asked.id, store=store)
    if asked.message_history and store.load(chat.id)[1] == 0:
        store.append(chat.id, 0, asked.message_history)
    if asked.approvals:
        return chat.resume_stream_events_sync(asked.decisions, deps=deps)
    if asked.trigger == 'regenerate-message':
        take_back(chat, asked.prompt)
    return chat.run_stream_events_sync(asked.prompt, deps=deps)


def take_back(chat: Conversation[Any, Any], prompt: Any) -> None:
    """Rewind a conversation to before the last occurrence of this prompt, for another answer to it."""
    messages = chat.messages()
    numbers = [number for number in prompts_in(messages) if prompt in _said(messages[number])]
    if numbers:
        chat.rewind(to=numbers[-1])


def _said(message: ModelMessage) -> list[Any]:
    return [part.content for part in message.parts if isinstance(part, UserPromptPart)]
