"""Histories of any kind, whole or not, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from syncai import PendingCall
from syncai.messages import (
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

IDS = st.sampled_from(['a', 'b', 'c', ''])
TOOLS = st.sampled_from(['look', 'hear'])
REQUEST_PARTS = st.one_of(
    st.builds(ToolReturnPart, TOOLS, st.sampled_from(['seen', {'x': 1}, None, ['y']]), IDS),
    st.builds(lambda tool, call_id: RetryPromptPart('bad', tool_name=tool, tool_call_id=call_id), TOOLS, IDS),
    st.just(UserPromptPart('go on')),
    st.just(SystemPromptPart('be kind')),
    st.just(RetryPromptPart('try again')),
)
RESPONSE_PARTS = st.one_of(st.builds(ToolCallPart, TOOLS, st.just('{}'), IDS), st.just(TextPart('well')))
PENDING = st.lists(st.builds(PendingCall, IDS, TOOLS, st.just({})), max_size=2).map(tuple)
MESSAGES = st.one_of(
    st.builds(
        lambda parts, calls: ModelRequest(parts, pending=calls), st.lists(REQUEST_PARTS, max_size=2), PENDING
    ).filter(lambda request: request.parts or request.pending),
    st.lists(REQUEST_PARTS, min_size=1, max_size=4).map(ModelRequest),
    st.builds(
        lambda parts, cut: ModelResponse(parts, incomplete=cut), st.lists(RESPONSE_PARTS, max_size=4), st.booleans()
    ),
)
HISTORIES = st.lists(MESSAGES, max_size=7)
