"""A provider for the rows of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncai.testing import Reply

if TYPE_CHECKING:
    from syncai.testing import RecordedRequest

__all__ = ['Provider']


class Provider:
    """Answers with the prompt in capitals, or with an error while `failing` holds the prompt."""

    def __init__(self) -> None:
        self.failing: set[str] = set()

    def __call__(self, request: RecordedRequest) -> Reply:
        prompt = request.json['messages'][-1]['content']
        return Reply(status=429) if prompt in self.failing else Reply(prompt.upper(), usage=(3, 2))
