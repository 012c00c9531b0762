"""Rows as JSON, written and read: the result by the adapter of its type, messages, usage and error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, ValidationError, to_json

from .._prices import Answers
from .._schema.python_types import members_of, name_of_type
from .._schema.typed_dicts import for_pydantic
from ..exceptions import UserError
from ..messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest, ModelResponse, UserPromptPart
from ..result import MapRow, RunResult
from ..usage import Usage, priced
from ._entries import Entry
from ._errors import error_from_json, error_json
from ._forms import FORMS, Form, PlainForm
from ._keys import key_value

ResultT = TypeVar('ResultT')

_COUNTS = tuple(field.name for field in fields(Usage))


class RowCodec(Generic[ResultT]):
    """Writes rows as entries and reads them again. Any thread may use it.

    Args:
        result_type: The type of the results, as the agent or the run names it.
        history: The messages that each run began with; they are not part of an entry.

    Raises:
        UserError: The type has no form in JSON.
    """

    def __init__(self, result_type: Any, history: Sequence[ModelMessage] = ()) -> None:
        self._history = tuple(history)
        self._members = [_Member(kind) for kind in members_of(result_type)]

    def entry(self, key: str, row: MapRow[Any]) -> Entry:
        """The entry of a finished row.

        Args:
            key: The key as JSON.
            row: The row of its run.

        Raises:
            UserError: Its result has no JSON that can be read back.
        """
        run, data, error = row._run, None, None
        about: dict[str, Any] = {'usage': _usage_json(run._usage), **_price_json(run)}
        if row.error is None:
            number = self._member_of(run.data)
            form, data = self._members[number].dump(run.data)
            about |= ({'member': number} if number else {}) | ({} if form == PlainForm.name else {'form': form})
        else:
            error = error_json(row.error)
        if run._result_tool_call_id is not None:
            about['tool_call_id'] = run._result_tool_call_id
        return Entry(
            key=key,
            state='done' if error is None else 'failed',
            data=data,
            error=error,
            messages=messages_text(run._messages[run._first_new :] or prompt_messages(row.prompt)),
            run=to_json(about).decode(),
        )

    def row(self, entry: Entry, prompt: Any = None) -> MapRow[ResultT]:
        """The row of a done or failed entry, as the original map gave it.

        Args:
            entry: The entry in the journal.
            prompt: The caller's prompt now; None takes the stored prompt.
        """
        about = json.loads(entry.run or '{}')
        new = ModelMessagesTypeAdapter.validate_json(entry.messages) if entry.messages else []
        messages, usage = (*self._history, *new), _usage_of(about, new)
        error: Exception | None = None
        value: Any = None
        if entry.error is not None:
            error = error_from_json(entry.error, messages, usage)
        else:
            try:
                value = self._members[about.get('member', 0)].load(about.get('form', PlainForm.name), entry.data or '')
            except (ValidationError, LookupError) as invalid:
                error = _unreadable(entry, invalid)
        run = RunResult(
            value,
            _messages=messages,
            _first_new=len(self._history),
            _usage=usage,
            _result_tool_call_id=about.get('tool_call_id'),
        )
        own_prompt = prompt_of(new) if prompt is None else prompt
        return MapRow(own_prompt, error, run, key=key_value(entry.key), stored=True)

    def _member_of(self, value: Any) -> int:
        """The member of the union for a result: the first with its class, else the first that accepts it."""
        if len(self._members) == 1:
            return 0
        for number, member in enumerate(self._members):
            if type(value) is member.kind:
                return number
        return next((number for number, member in enumerate(self._members) if member.takes(value)), 0)


class _Member:
    """One type of results, with the first form that its first value survives."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self._adapter: TypeAdapter[Any] = TypeAdapter(for_pydantic(kind))
        self._form: Form | None = None  # set once by the writing thread; at worst, two threads set the same

    def takes(self, value: Any) -> bool:
        try:
            self._adapter.validate_python(value, strict=True)
        except ValidationError:
            return False
        return True

    def dump(self, value: Any) -> tuple[str, str]:
        """The name of a form, and the value in it."""
        form = self._form
        if form is not None and (text := _dumped(form, self._adapter, value)) is not None:
            return form.name, text
        for candidate in FORMS:
            text = _dumped(candidate, self._adapter, value)
            if text is not None and self._survives(candidate, text, value):
                self._form = self._form or candidate
                return candidate.name, text
        raise UserError(
            f'A result of the type {type(value).__name__} cannot be kept as {name_of_type(self.kind)} in JSON and read '
            'again: let result_type be a type that pydantic writes and reads, or run without a journal'
        )

    def _survives(self, form: Form, text: str, value: Any) -> bool:
        try:
            back = form.load(self._adapter, text)
        except (ValidationError, ValueError):
            return False
        if type(back) is not type(value):
            return False
        return back == value or 'nan' in repr(value) or self._plainly_equal(back, value)

    def _plainly_equal(self, back: Any, value: Any) -> bool:
        """Whether two values without `__eq__` have equal content; a secret does not equal its mask."""
        try:
            return bool(self._adapter.dump_python(back) == self._adapter.dump_python(value))
        except PydanticSerializationError:
            return False

    def load(self, form: str, text: str) -> Any:
        return next(one for one in FORMS if one.name == form).load(self._adapter, text)


def _dumped(form: Form, adapter: TypeAdapter[Any], value: Any) -> str | None:
    try:
        return form.dump(adapter, value)
    except (PydanticSerializationError, ValueError, TypeError, AttributeError):
        return None


def _unreadable(entry: Entry, invalid: Exception) -> UserError:
    return UserError(
        f'The result that the journal keeps for the row {entry.key} is none of this result_type: '
        f'{str(invalid).splitlines()[0]}. Where the type was changed, on_change="redo" makes such rows again'
    )


def messages_text(messages: Sequence[ModelMessage]) -> str | None:
    """Messages as JSON, or None if there are none."""
    return ModelMessagesTypeAdapter.dump_json(list(messages)).decode() if messages else None


def prompt_messages(prompt: Any) -> list[ModelMessage]:
    """A message with the prompt, for rows without messages; none if it is no prompt."""
    request = ModelRequest([UserPromptPart(prompt)])
    try:
        ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([request]))
    except (PydanticSerializationError, ValidationError, ValueError):
        return []
    return [request]


def prompt_of(messages: Sequence[ModelMessage]) -> Any:
    """The prompt, or None."""
    for message in messages:
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                return part.content
    return None


def _price_json(run: RunResult[Any]) -> dict[str, str | None]:
    """The price of a run if its messages do not give it, such as with nested runs; else empty."""
    if run._usage.requests == len(_answers(run._messages[run._first_new :])):
        return {}
    try:
        price = run.price
    except UserError:  # the extra is not installed
        price = None
    return {'price': None if price is None else str(price)}


def _usage_of(about: dict[str, Any], messages: Sequence[ModelMessage]) -> Usage:
    """The usage of an entry's run, with its price."""
    usage = Usage(**about.get('usage', {}))
    if 'price' in about:
        return usage if about['price'] is None else priced(usage, Decimal(about['price']))
    answers = _answers(messages)
    return priced(usage, Answers(answers)) if usage.requests == len(answers) else usage


def _answers(messages: Sequence[ModelMessage]) -> list[ModelResponse]:
    return [message for message in messages if isinstance(message, ModelResponse)]


def _usage_json(usage: Usage) -> dict[str, Any]:
    counts = {name: getattr(usage, name) for name in _COUNTS}
    return {name: count for name, count in counts.items() if count}
