"""The tables: conversations, their messages and files, and the calls that wait for a person."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.db import models, transaction
from django.utils import timezone

__all__ = ['ApprovalRequest', 'Blob', 'Conversation', 'Message']


class Conversation(models.Model):
    """Messages under an id; `DjangoStore` reads and writes them."""

    name = models.CharField('id', max_length=255, primary_key=True)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        """The newest first."""

        ordering: ClassVar[Any] = ['-updated_at']

    def __str__(self) -> str:
        return str(self.name)


class Blob(models.Model):
    """A file of some message, by the SHA-256 of its bytes."""

    sha256 = models.CharField('SHA-256', max_length=64, primary_key=True)
    data = models.BinaryField()
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = models.Manager()

    def __str__(self) -> str:
        return f'{self.sha256[:12]} ({self.size} bytes)'


class Message(models.Model):
    """One message of a conversation, as JSON; rows are added and never changed."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name='messages')
    position = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=16)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    blobs = models.ManyToManyField(Blob, related_name='messages', editable=False)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        """In the order of the conversation; no two writers add at the same place."""

        ordering: ClassVar[Any] = ['conversation', 'position']
        constraints: ClassVar[Any] = [
            models.UniqueConstraint(fields=['conversation', 'position'], name='syncai_message_position')
        ]

    def __str__(self) -> str:
        return f'{self.conversation_id} {self.position}: {self.kind}'


class ApprovalRequest(models.Model):
    """A call of a tool that waits for a person, and what the person decided."""

    class Status(models.TextChoices):
        """The state of a decision."""

        PENDING = 'pending', 'waits'
        APPROVED = 'approved', 'approved'
        DENIED = 'denied', 'denied'

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name='approvals')
    call_id = models.CharField(max_length=255)
    tool_name = models.CharField('tool', max_length=255)
    args = models.JSONField('arguments')
    args_hash = models.CharField(max_length=64, editable=False)
    reason = models.TextField(blank=True)
    details = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING, db_index=True)
    note = models.TextField(blank=True, help_text='Why it was denied; the model reads it.')
    decided_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        """The newest first; one row for each call that waits."""

        ordering: ClassVar[Any] = ['-created_at']
        constraints: ClassVar[Any] = [
            models.UniqueConstraint(
                fields=['conversation', 'call_id'],
                condition=models.Q(resumed_at=None),
                name='syncai_approval_call',
            )
        ]

    def __str__(self) -> str:
        return f'{self.tool_name} in {self.conversation_id}'

    def approve(self, *, by: str = '') -> bool:
        """Let the call be made when the conversation continues; False if it was decided before.

        Args:
            by: The name of the person who decides.
        """
        return self._decide(self.Status.APPROVED, by, self.note)

    def deny(self, note: str | None = None, *, by: str = '') -> bool:
        """Refuse the call, and say why to the model; False if it was decided before.

        Args:
            note: Why; None takes the `note` of the row.
            by: The name of the person who decides.
        """
        return self._decide(self.Status.DENIED, by, self.note if note is None else note)

    def _decide(self, status: Any, by: str, note: str) -> bool:
        """Decide once: of two persons who decide at the same time, the database accepts one."""
        from .signals import approval_decided

        using = self._state.db
        fields = {'status': status, 'decided_by': by, 'note': note, 'decided_at': timezone.now()}
        waiting = type(self).objects.using(using).filter(pk=self.pk, status=self.Status.PENDING)
        if not waiting.update(**fields):
            self.refresh_from_db()
            return False
        self.refresh_from_db()
        transaction.on_commit(partial(approval_decided.send_robust, type(self), request=self), using=using, robust=True)
        return True
