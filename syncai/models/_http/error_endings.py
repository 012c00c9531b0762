"""Answers that the provider ended with an error: their partial text is no answer."""

from __future__ import annotations

from ...exceptions import UnexpectedModelBehavior
from ...messages import ModelResponse

__all__ = ['ending_in_words', 'failure_of', 'failure_with']


def failure_of(response: ModelResponse) -> UnexpectedModelBehavior | None:
    """The error for an answer that the provider ended with an error; None for any other answer."""
    return failure_with(response) if response.finish_reason == 'error' else None


def failure_with(response: ModelResponse) -> UnexpectedModelBehavior:
    """The error for an answer whose end makes it unusable; it holds the partial answer."""
    return UnexpectedModelBehavior(
        f'The provider ended the answer with {ending_in_words(response)}, which makes no result; '
        '`partial` has what came',
        model_name=response.model_name,
        provider=response.provider_name,
        partial=response,
    )


def ending_in_words(response: ModelResponse) -> str:
    """The reason for the end of an answer, in the words of its provider."""
    reason = response.provider_finish_reason or response.finish_reason
    finish_message = (response.provider_details or {}).get('finish_message')
    return f'{reason} ({finish_message})' if finish_message else str(reason)
