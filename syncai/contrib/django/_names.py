"""The conversation and the user of a request."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest

from ...agent import Agent
from ...exceptions import UserError

__all__ = ['conversation_of', 'user_of']


def conversation_of(request: HttpRequest, chat: str) -> str:
    """The name of a conversation in a store: the page's id, prefixed by the user, or by a visitor's session.

    Raises:
        UserError: The project has neither users nor sessions.
    """
    user = getattr(request, 'user', None)
    if user is not None and user.is_authenticated:
        return f'user-{user.pk}/{chat}'
    session: Any = getattr(request, 'session', None)
    if session is None:
        raise UserError(
            'A store needs to know whose conversation it is: add SessionMiddleware to MIDDLEWARE, or give '
            'chat_view(..., conversation=lambda request, id: ...)'
        )
    if session.session_key is None:
        session.create()
    # The key of a session gives access to it, so the admin must not see it as a name.
    return f'visitor-{hashlib.sha256(session.session_key.encode()).hexdigest()[:32]}/{chat}'


def user_of(agent: Agent[Any, Any], request: HttpRequest) -> Any:
    """The user of a request, if the agent takes one as its `deps`."""
    user = getattr(request, 'user', None)
    takes_it = agent.deps_type is not type(None) and isinstance(user, agent.deps_type)
    return user if takes_it else None
