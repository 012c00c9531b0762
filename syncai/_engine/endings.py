"""How an answer ended. An answer that was withheld, failed or was cut off gives no result, and asking again would not
help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .._base.system import warn_in_log
from .._bridge import call_user_function
from ..exceptions import ContentFilterError, UnexpectedModelBehavior
from ..messages import ModelRequestPart, ModelResponse, RetryPromptPart, ThinkingPart
from ..models._http.error_endings import ending_in_words, failure_with
from .one_setting import setting

if TYPE_CHECKING:
    from .run_state import RunState

_CORRECTABLE = re.compile('malformed|unexpected_tool_call', re.IGNORECASE)
"""Stop reasons of Gemini and Bedrock for a malformed call: the model may write it again."""

_THOUGHTS = re.compile('thinking|reasoning', re.IGNORECASE)

_PARTS_OF = {
    'length': 'was cut off at the most tokens the model may generate: raise max_tokens',
    'content_filter': 'was cut off by the content filter of the provider',
}


def refuse_empty(response: ModelResponse) -> None:
    """Raise the error for an answer without text and calls, unless the model may be asked again."""
    refuse_filtered(response)
    if response.finish_reason == 'length':
        what = (
            'The model used all the tokens it may generate before it answered: raise max_tokens, or let it think less'
        )
        raise UnexpectedModelBehavior(_window_was_full(response) or what, **_origin(response))
    if response.finish_reason is None and response.provider_finish_reason is not None:
        raise failure_with(response)


def refuse_filtered(response: ModelResponse) -> None:
    """Raise ContentFilterError for an answer that the provider withheld."""
    if response.finish_reason == 'content_filter':
        message = f'The content filter of the provider withheld the answer: {ending_in_words(response)}'
        if response.parts:
            message += '; `partial` has what it let through'
        raise ContentFilterError(message, **_origin(response))


def refuse_cut_calls(run: RunState[Any], response: ModelResponse) -> None:
    """Raise UnexpectedModelBehavior if a call is incomplete, or was cut off before its tool's name."""
    if not is_cut_off(run, response):
        return
    last = response.tool_calls[-1]
    known = last.tool_name in run.plan.result_tools or any(tool.name == last.tool_name for tool in run.offered)
    if not known or not all(is_json(call.args_as_json_str()) for call in response.tool_calls):
        raise cut_off(response)


def refuse_cut_arguments(run: RunState[Any], response: ModelResponse, last: ModelRequestPart | None) -> None:
    """Raise UnexpectedModelBehavior if the last call of an answer that was cut off lacks arguments.

    Args:
        run: The run.
        response: The answer.
        last: The return of its last call.
    """
    invalid = isinstance(last, RetryPromptPart) and not isinstance(last.content, str)
    if invalid and is_cut_off(run, response):
        raise cut_off(response)


def refuse_unfinished(run: RunState[Any], response: ModelResponse) -> None:
    """Raise the error for an answer without a valid result that was withheld or cut off."""
    refuse_filtered(response)
    if is_cut_off(run, response):
        raise cut_off(response)


def is_cut_off(run: RunState[Any], response: ModelResponse) -> bool:
    """Whether an answer reached its length limit: some servers report a cut call as complete."""
    if response.finish_reason in ('length', 'content_filter'):
        return response.finish_reason == 'length'
    most = setting(run.plan.model, run.plan.settings, 'max_tokens')
    return most is not None and (response.usage.response_tokens or 0) >= most


def cut_off(response: ModelResponse) -> UnexpectedModelBehavior:
    """The error for an answer that was cut off too early."""
    what = (
        'The answer was cut off at the most tokens the model may generate, and what there is of it is not valid: '
        'raise max_tokens'
    )
    return UnexpectedModelBehavior(_window_was_full(response) or what, **_origin(response))


def _window_was_full(response: ModelResponse) -> str | None:
    """The remedy if a higher `max_tokens` would not help, as Anthropic and Bedrock report it."""
    if response.provider_finish_reason != 'model_context_window_exceeded':
        return None
    return (
        'The answer was cut off since the context window of the model was full: shorten the conversation, or take a '
        'model with a larger window; a higher max_tokens does not help'
    )


async def warn_of_part(run: RunState[Any], response: ModelResponse) -> None:
    """Log, in the caller's thread and once for a run, that its text is incomplete."""
    reason = response.finish_reason
    if (what := _PARTS_OF.get(reason or '')) is not None:
        if _window_was_full(response):
            what = 'was cut off since the context window of the model was full'
        name = f'the agent {run.plan.agent_name!r}' if run.plan.agent_name else 'an agent'
        text = 'The result of %s %s. `result.response.finish_reason` says %r'
        await call_user_function(warn_in_log, text, name, what, reason)


def kinds_beside_text(response: ModelResponse) -> str:
    """The parts of an answer that are only kept for its provider, by the provider's names; without thoughts."""
    blocks = [part.provider_details for part in response.parts if isinstance(part, ThinkingPart) and not part.content]
    names = dict.fromkeys(_kind_of(block) for block in blocks if block)
    return ', '.join(name for name in names if not _THOUGHTS.search(name))


def _kind_of(block: dict[str, Any]) -> str:
    inner = next((block[name] for name in ('item', 'part') if isinstance(block.get(name), dict)), block)
    return str(inner.get('type') or next(iter(inner), ''))


def correction(run: RunState[Any], error: UnexpectedModelBehavior) -> RetryPromptPart:
    """The correction for a model that wrote no valid tool call; raises the error if that cannot help.

    Adds the response and its usage to the conversation.
    """
    response = error.partial
    if response is None or response.tool_calls or not _CORRECTABLE.search(response.provider_finish_reason or ''):
        raise error
    reason = ending_in_words(response)
    run.count_result_retry(reason)
    return RetryPromptPart(f'The answer was no valid call of a tool: {reason}')


def is_json(text: str) -> bool:
    """Whether the whole text is JSON."""
    from pydantic_core import from_json

    try:
        from_json(text)
    except ValueError:
        return False
    return True


def _origin(response: ModelResponse) -> dict[str, Any]:
    return {'model_name': response.model_name, 'provider': response.provider_name, 'partial': response}
