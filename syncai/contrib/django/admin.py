"""The admin: conversations to read, calls to approve or deny."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from ..._base.printable import printable
from ...conversations._log import view_of
from .models import ApprovalRequest, Conversation
from .store import DjangoStore
from .transcript import transcript

__all__ = ['ApprovalRequestAdmin', 'ConversationAdmin']


class _Transcript:
    """The style of a transcript."""

    class Media:
        """Where Django finds it."""

        css: ClassVar[Any] = {'all': ['syncai/transcript.css']}

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        """Rows are made by runs."""
        del request
        return False


@admin.register(Conversation)
class ConversationAdmin(_Transcript, admin.ModelAdmin):
    """Conversations, to be read and deleted; the log is never edited."""

    list_display = ('name', 'version', 'created_at', 'updated_at')
    search_fields = ('name',)
    date_hierarchy = 'updated_at'
    fields = ('name', 'created_at', 'updated_at', 'transcript')
    readonly_fields = fields

    def has_change_permission(self, request: HttpRequest, *_: Any) -> bool:
        """A stored message is not changed."""
        del request
        return False

    @admin.display(description='messages')
    def transcript(self, conversation: Conversation) -> Any:
        """The conversation, escaped."""
        history, _ = DjangoStore(using=conversation._state.db).load(conversation.name)
        return transcript(view_of(history).messages)


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(_Transcript, admin.ModelAdmin):
    """Calls that wait for a person, with the conversation that led to them."""

    list_display = ('tool_name', 'call', 'reason', 'conversation', 'status', 'decided_by', 'created_at')
    list_filter = ('status', 'tool_name')
    search_fields = ('conversation__name', 'tool_name', 'call_id')
    fields: Any = (
        *('tool_name', 'call', 'reason', 'shown_details', 'status', 'note'),
        *('decided_by', 'decided_at', 'resumed_at', 'conversation', 'transcript'),
    )
    readonly_fields = tuple(name for name in fields if name != 'note')
    actions = ('approve', 'deny')

    @admin.display(description='arguments')
    def call(self, request: ApprovalRequest) -> Any:
        """The arguments of the call, escaped."""
        return _pretty(request.args)

    @admin.display(description='details')
    def shown_details(self, request: ApprovalRequest) -> Any:
        """The tool's details of the call, escaped."""
        return '-' if request.details is None else _pretty(request.details)

    @admin.display(description='conversation so far')
    def transcript(self, request: ApprovalRequest) -> Any:
        """The conversation before the call, escaped."""
        history, _ = DjangoStore(using=request._state.db).load(request.conversation_id)
        return transcript(view_of(history).messages)

    @admin.action(description='Approve the selected calls', permissions=['change'])
    def approve(self, request: HttpRequest, calls: Any) -> None:
        """Approve the selected calls that still wait."""
        self._report(request, 'approved', [call.approve(by=_name(request)) for call in calls])

    @admin.action(description='Deny the selected calls', permissions=['change'])
    def deny(self, request: HttpRequest, calls: Any) -> None:
        """Deny the selected calls that still wait, each with its note as the reason."""
        self._report(request, 'denied', [call.deny(by=_name(request)) for call in calls])

    def response_change(self, request: HttpRequest, obj: ApprovalRequest) -> HttpResponse:
        """The buttons below the form, which has saved the note."""
        if 'approve-call' in request.POST:
            self._report(request, 'approved', [obj.approve(by=_name(request))])
        elif 'deny-call' in request.POST:
            self._report(request, 'denied', [obj.deny(by=_name(request))])
        else:
            response: HttpResponse = super().response_change(request, obj)
            return response
        return HttpResponseRedirect('../..')

    def get_readonly_fields(self, request: HttpRequest, obj: ApprovalRequest | None = None) -> Any:
        """All fields, once a decision was made."""
        del request
        decided = obj is not None and obj.status != ApprovalRequest.Status.PENDING
        return self.fields if decided else self.readonly_fields

    def _report(self, request: HttpRequest, verb: str, outcomes: list[bool]) -> None:
        if any(outcomes):
            self.message_user(request, f'{sum(outcomes)} {verb}.', messages.SUCCESS)
        if not all(outcomes):
            late = len(outcomes) - sum(outcomes)
            self.message_user(request, f'{late} left as before: decided already.', messages.WARNING)


def _name(request: HttpRequest) -> str:
    return str(request.user.get_username())


def _pretty(value: Any) -> Any:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return format_html('<pre class="code">{}</pre>', printable(text))
