"""Conversations made whole before they are sent: each call with one return right after it, each return with its call.

Providers refuse any other history, and keep refusing it, since the flaw stays in it. OpenAI: "an assistant message with
'tool_calls' must be followed by tool messages responding to each 'tool_call_id'"; Anthropic: "each `tool_use` block
must have a corresponding `tool_result` block in the next message", and the reverse; Gemini: "the number of function
response parts is equal to the number of function call parts"; Mistral: "Not the same number of function calls and
responses". A history becomes incomplete when it is trimmed, when a tool fails, when a stream is left, and when returns
come late. The repair makes a copy: the caller's messages are not changed.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeGuard, TypeVar

from .._base.frozen import dataclass
from .._base.system import warn_in_log
from ..exceptions import UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..models import Model

_PartT = TypeVar('_PartT', bound=ToolCallPart | ToolReturnPart | RetryPromptPart)
Return: TypeAlias = ToolReturnPart | RetryPromptPart

OPENING = 'Begin.'
"""The user prompt before a conversation that begins with a response, which several providers forbid."""
NOT_ANSWERED = 'The call has no return: the conversation went on without it.'

_SHOWN = 5  # the most repairs that the warning lists


def whole_history(
    messages: Sequence[ModelMessage], *, name: str, repair: bool, followed: bool = False, keep_open: bool = False
) -> Sequence[ModelMessage]:
    """The messages themselves if they are whole, which one cheap pass checks, else a repaired copy. One warning in the
    log lists the repairs.

    Args:
        messages: The conversation; never changed.
        name: The name of the argument, for errors and the log.
        repair: Whether to repair the history; False raises an error instead.
        followed: Whether a user prompt follows.
        keep_open: Whether calls at the end may lack their returns, because the tools are called next.

    Raises:
        UserError: `repair` is false and the history is not whole, or its last message holds nothing that can be sent;
            the error names the message by its number.
    """
    if _is_whole(messages, keep_open):
        return messages
    copy = _Repair(messages, keep_open)
    if copy.flaws and not repair:
        flaw = copy.flaws[0]
        raise UserError(
            f'{name}[{flaw.number}]: {flaw.problem}. {flaw.remedy}, or let a repaired copy be sent: repair_history=True'
        )
    if not followed and not copy.messages and not copy.flaws:
        raise UserError(f'{name} holds nothing but calls that broke off: give it a ModelRequest with a UserPromptPart')
    if not followed and isinstance(messages[-1], ModelRequest) and copy.leaves_nothing:
        if not copy.flaws:
            raise UserError(
                f'{name}[{len(messages) - 1}] has nothing to answer, and nothing else is left: leave it out'
            )
        flaw = copy.flaws[-1]
        raise UserError(f'{name}[{flaw.number}]: {flaw.problem}, and nothing else is left to answer. {flaw.remedy}')
    if copy.flaws:
        _warn(name, copy.flaws)
    return copy.messages


def continues_on_server(model: Model, settings: Mapping[str, Any]) -> bool:
    """Whether a conversation continues from a response stored by the provider, which may hold calls to answer."""
    for layer in (settings, getattr(model, 'settings', None) or {}):
        if (previous := layer.get('openai_previous_response_id')) is not None:
            return bool(previous != 'auto')
    return False


def is_return(part: object) -> TypeGuard[Return]:
    """Whether a part of a request answers a call."""
    return isinstance(part, ToolReturnPart) or (isinstance(part, RetryPromptPart) and part.tool_name is not None)


def _is_whole(messages: Sequence[ModelMessage], keep_open: bool) -> bool:
    """Whether nothing needs a change, not even the order or an id."""
    waiting: set[str] = set()  # the calls without a return
    prompted = False
    for number, message in enumerate(messages):
        if isinstance(message, ModelResponse):
            if waiting or not prompted or not _calls_are_plain(message, waiting):
                return False
            continue
        if not message.parts and message.pending:
            return False  # it marks waiting calls, and is not sent to the model
        for part in message.parts:
            if is_return(part):
                # The returns of one response belong in one request: an adapter puts files after all of them.
                if part.tool_call_id not in waiting or not isinstance(messages[number - 1], ModelResponse):
                    return False
                waiting.remove(part.tool_call_id)
            elif waiting:
                return False
            elif not prompted:
                prompted = isinstance(part, UserPromptPart | RetryPromptPart)
    return keep_open or not waiting


def _calls_are_plain(response: ModelResponse, waiting: set[str]) -> bool:
    """Whether each call of a response is complete and has a unique id; puts the ids into `waiting`."""
    for part in response.parts:
        if isinstance(part, ToolCallPart):
            if response.incomplete or not part.tool_call_id or part.tool_call_id in waiting:
                return False
            waiting.add(part.tool_call_id)
    return True


@dataclass(frozen=True, slots=True)
class _Flaw:
    """What is wrong with a message, and what is done about it."""

    number: int
    problem: str
    repair: str
    remedy: str


def _warn(name: str, flaws: Sequence[_Flaw]) -> None:
    texts = '; '.join(f'{name}[{flaw.number}]: {flaw.problem}, {flaw.repair}' for flaw in flaws[:_SHOWN])
    more = f'; and {len(flaws) - _SHOWN} more' if len(flaws) > _SHOWN else ''
    warn_in_log(
        '%s is not whole, and a repaired copy is sent: %s%s. repair_history=False makes it an error', name, texts, more
    )


class _Turn:
    """A response and the requests up to the next one; the first turn may have no response.

    Attributes:
        answers: The returns, by the index of their call in `calls`.
        is_open: Whether calls may stay without a return, because the run adds it.
    """

    __slots__ = ('answers', 'calls', 'is_open', 'number', 'requests', 'response')

    def __init__(self, number: int, response: ModelResponse | None) -> None:
        self.number = number
        self.response = response
        self.requests: list[tuple[int, ModelRequest]] = []
        self.answers: dict[int, Return] = {}
        self.calls: list[ToolCallPart] = response.tool_calls if response else []
        self.is_open = False

    @property
    def only_returns(self) -> bool:
        """Whether only returns follow the response, or, in a paused run, also what tools have said."""
        return all(is_return(part) or request.pending for _, request in self.requests for part in request.parts)

    @property
    def is_cut(self) -> bool:
        """Whether the response broke off or was left; its unanswered calls then count as not made."""
        return self.response is not None and self.response.incomplete

    def id_of(self, place: int) -> str:
        """The id under which a call is sent: its own, else a new unique one."""
        return self.calls[place].tool_call_id or f'call_{self.number}_{place}'

    def written_requests(self) -> list[ModelRequest]:
        """The requests; after open calls they are merged into one, to which the run adds its returns."""
        requests = [request for _, request in self.requests]
        if self.is_open and len(requests) > 1:
            parts = [part for request in requests for part in request.parts]
            pending = tuple(call for request in requests for call in request.pending)
            return [replace(requests[-1], parts=parts, pending=pending)]
        return requests

    def unanswered(self) -> Iterator[tuple[int, ToolCallPart]]:
        return ((place, call) for place, call in enumerate(self.calls) if place not in self.answers)

    def returns(self) -> Iterator[tuple[int, Return, bool]]:
        """Each return with the number of its message, and whether something else is between it and the calls."""
        behind = False
        for number, request in self.requests:
            for part in request.parts:
                if is_return(part):
                    yield number, part, behind
                elif not request.pending:  # content of tools, before further returns
                    behind = True


class _Repair:
    """A copy of a conversation in which calls and returns belong together.

    A return belongs to the call of its id in the response before it; else to the nearest earlier call of its id that
    has none; else, with an id that no call has, to a call of the same tool in the response before it.
    """

    def __init__(self, messages: Sequence[ModelMessage], keep_open: bool) -> None:
        self.messages: list[ModelMessage] = []
        self.flaws: list[_Flaw] = []
        self._prompted = False
        self._turns = _turns(messages)
        self._waiting: defaultdict[str, list[tuple[_Turn, int]]] = defaultdict(list)
        for turn in self._turns:
            self._match(turn)
        last = self._turns[-1]
        last.is_open = keep_open and last.only_returns
        for turn in self._turns:
            self._write(turn)
        self.flaws.sort(key=lambda flaw: flaw.number)

    @property
    def leaves_nothing(self) -> bool:
        """Whether it ends in a response without a call that the run could make."""
        last = self._turns[-1]
        open_calls = last.is_open and not last.is_cut and any(last.unanswered())
        return not open_calls and not (self.messages and isinstance(self.messages[-1], ModelRequest))

    # --- matching returns to calls ------------------------------------------------------------------------------------

    def _match(self, turn: _Turn) -> None:
        strays = self._match_by_id(turn)
        strays = [stray for stray in strays if not self._match_earlier(*stray)]
        self._match_by_tool(turn, strays)
        if turn.response is not None and not turn.response.incomplete:
            for place, call in turn.unanswered():
                self._waiting[call.tool_call_id].append((turn, place))

    def _match_by_id(self, turn: _Turn) -> list[tuple[int, Return]]:
        """Match returns to calls by id; returns those without a match."""
        places: defaultdict[str, deque[int]] = defaultdict(deque)
        for place, call in enumerate(turn.calls):
            places[call.tool_call_id].append(place)
        answered: dict[str, int] = {}
        strays = []
        for number, part, behind in turn.returns():
            call_id = part.tool_call_id or ''
            if places[call_id]:
                same_tool = (place for place in places[call_id] if turn.calls[place].tool_name == part.tool_name)
                answered[call_id] = next(same_tool, places[call_id][0])
                places[call_id].remove(answered[call_id])
                if behind:
                    self._moved(number, part)
            elif call_id in answered:
                self._note(number, f'{_shown(part)} is the second for its call', 'and the only one that is sent')
            else:
                strays.append((number, part))
                continue
            turn.answers[answered[call_id]] = part
        return strays

    def _match_earlier(self, number: int, part: Return) -> bool:
        waiting = self._waiting[part.tool_call_id] if part.tool_call_id else []
        if not waiting:
            return False
        turn, place = waiting.pop()
        turn.answers[place] = part
        self._moved(number, part)
        return True

    def _match_by_tool(self, turn: _Turn, strays: Sequence[tuple[int, Return]]) -> None:
        places: defaultdict[str, deque[int]] = defaultdict(deque)
        for place, call in turn.unanswered() if strays else ():
            places[call.tool_name].append(place)
        for number, part in strays:
            if not places[part.tool_name or '']:
                self._note(number, f'{_shown(part)} answers no call', 'and is left out', 'Leave it out')
                continue
            place = places[part.tool_name or ''].popleft()
            turn.answers[place] = part
            repair = f'and is sent with that of the call, {turn.calls[place].tool_call_id!r}'
            self._note(number, f'{_shown(part)} has the id of no call', repair, 'Give it the id of its call')

    def _moved(self, number: int, part: Return) -> None:
        self._note(number, f'{_shown(part)} does not follow its call', 'and is moved there', 'Put it right behind')

    def _note(self, number: int, problem: str, repair: str, remedy: str = 'Leave one of them out') -> None:
        self.flaws.append(_Flaw(number, problem, repair, remedy))

    # --- the copy -----------------------------------------------------------------------------------------------------

    def _write(self, turn: _Turn) -> None:
        returns: list[ModelRequestPart] = list(self._written_returns(turn))
        if turn.response is not None:
            self._write_response(turn, turn.response)
        for request in turn.written_requests():
            parts = returns + [part for part in request.parts if not is_return(part)]
            returns = []
            if parts or request.instructions is not None or not (request.parts or request.pending):
                self.messages.append(request if parts == list(request.parts) else replace(request, parts=parts))
            self._prompted = self._prompted or any(isinstance(part, UserPromptPart | RetryPromptPart) for part in parts)
        if returns:
            self.messages.append(ModelRequest(returns))

    def _written_returns(self, turn: _Turn) -> Iterator[Return]:
        """The returns in the order of the calls."""
        for place, call in enumerate(turn.calls):
            part = turn.answers.get(place)
            if part is not None:
                yield _with_id(part, turn.id_of(place))
            elif not turn.is_open and not turn.is_cut:
                problem = f'the call of {call.tool_name!r} ({call.tool_call_id!r}) has no return'
                remedy = 'Give a ToolReturnPart for it in the ModelRequest after it'
                if turn is self._turns[-1] and not turn.requests:
                    remedy += ', or run without a prompt to have the tools called'
                self._note(turn.number, problem, 'and is given one that says so', remedy)
                yield ToolReturnPart(call.tool_name, NOT_ANSWERED, turn.id_of(place))

    def _write_response(self, turn: _Turn, response: ModelResponse) -> None:
        parts: list[ModelResponsePart] = []
        place = 0
        for part in response.parts:
            if not isinstance(part, ToolCallPart):
                parts.append(part)
                continue
            if place in turn.answers or not turn.is_cut:
                parts.append(_with_id(part, turn.id_of(place)))
            place += 1
        if response.parts and not parts:
            return
        if not self._prompted:
            remedy = 'Put a ModelRequest with a UserPromptPart before it'
            self._note(turn.number, 'a response comes before any prompt', f'and {OPENING!r} is put before it', remedy)
            self.messages.append(ModelRequest([UserPromptPart(OPENING)]))
            self._prompted = True
        self.messages.append(response if parts == list(response.parts) else replace(response, parts=parts))


def _turns(messages: Sequence[ModelMessage]) -> list[_Turn]:
    turns = [_Turn(0, None)]
    for number, message in enumerate(messages):
        if isinstance(message, ModelResponse):
            turns.append(_Turn(number, message))
        else:
            turns[-1].requests.append((number, message))
    return turns


def _with_id(part: _PartT, call_id: str) -> _PartT:
    """The part under the id with which its call is sent."""
    return part if part.tool_call_id == call_id else replace(part, tool_call_id=call_id)


def _shown(part: Return) -> str:
    kind = 'return' if isinstance(part, ToolReturnPart) else 'retry prompt'
    return f'the {kind} of {part.tool_name!r} ({part.tool_call_id!r})'
