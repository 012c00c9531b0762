"""What is known of a run, while it runs and after its end."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Generic

from typing_extensions import TypeVar

from .._base.call_hints import explain_methods
from .._base.other_names import OtherNames
from ..messages import ModelMessage, ModelResponse
from ..result import Cost, messages_json
from ..usage import Usage

if TYPE_CHECKING:
    from .._engine.run_state import RunState

ResultT = TypeVar('ResultT', default=str)


class RunView(OtherNames, Generic[ResultT]):
    """The conversation and the usage of a run, as far as they are known."""

    def __init__(self, run: RunState[ResultT]) -> None:
        self._run = run

    def usage(self) -> Usage:
        """What the run has used, as far as the provider has reported; it usually reports at the end of an answer."""
        self._ready()
        return self._run.usage_so_far()

    def cost(self) -> Cost:
        """The tokens that the run has used, as far as the provider has reported."""
        return Cost.of(self.usage())

    def all_messages(self) -> list[ModelMessage]:
        """The conversation until now, the `message_history` of the run included; pass it to the next run.

        An answer that is still arriving or was left early is the last message, and `incomplete`.
        """
        self._ready()
        return self._run.messages_so_far()

    def new_messages(self) -> list[ModelMessage]:
        """The messages of this run alone."""
        return self.all_messages()[self._run.first_new :]

    def all_messages_json(self) -> bytes:
        """`all_messages` as JSON, for `ModelMessagesTypeAdapter.validate_json`."""
        return messages_json(self.all_messages())

    def new_messages_json(self) -> bytes:
        """`new_messages` as JSON."""
        return messages_json(self.new_messages())

    def timestamp(self) -> datetime:
        """When the last answer began, by the provider's clock if it has one."""
        self._ready()
        return self._run.response_so_far(()).timestamp

    @property
    def response(self) -> ModelResponse:
        """The last answer, as far as it has arrived; at its end `finish_reason` says whether it was cut off."""
        self._ready()
        messages = reversed(self._run.messages_so_far())
        return next((m for m in messages if isinstance(m, ModelResponse)), None) or self._run.response_so_far(())

    @property
    def model_name(self) -> str:
        """The model that answers, as the provider names it."""
        self._ready()
        return self._run.response_so_far(()).model_name or self._run.plan.model.model_name

    def _ready(self) -> None:
        """Wait, where the face does, until something is known."""


explain_methods(RunView, usage='.total_tokens', cost='.total_tokens', all_messages='[-1]', new_messages='[-1]')
