"""Conversations in the tables of a Django project, in the caller's own transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, router, transaction
from django.utils import timezone

from ...approvals import Approve, Decision, Deny, PendingCall
from ...conversations import messages_of, record_of
from ...conversations._log import is_rewind
from ...exceptions import ConversationConflict, UserError
from ...messages import ModelMessage, ModelRequest
from ._installation import check_installed

check_installed()  # Django's error for models of an uninstalled application names no remedy

from .models import ApprovalRequest, Blob, Conversation, Message  # noqa: E402

__all__ = ['DjangoStore']

_LONGEST_ID = 255


class DjangoStore:
    """Keeps conversations in the project's database; for `agent.conversation(id, store=DjangoStore())`.

    Its calls run in the caller's thread, so that they belong to its transaction: messages of a transaction that is
    rolled back are not stored. Calls that wait for a decision become rows of `ApprovalRequest` as soon as they are
    stored.

    Args:
        using: The alias of the database; None takes the one that the project's routers name.
    """

    def __init__(self, *, using: str | None = None) -> None:
        from django.db import connections

        if using is not None and using not in connections:
            names = ', '.join(map(repr, connections))
            raise UserError(f'using must be the alias of a database of DATABASES ({names}), not {using!r}')
        self.using = using

    def __repr__(self) -> str:
        return f'DjangoStore(using={self.using!r})'

    def load(self, id: str) -> tuple[list[ModelMessage], int]:  # noqa: A002 # the name of the protocol
        """The messages of a conversation and its version; no messages and 0 if there is none."""
        alias = self.using or router.db_for_read(Conversation)
        version = Conversation.objects.using(alias).filter(pk=_checked(id)).values_list('version', flat=True).first()
        if version is None:
            return [], 0
        # A writer may add more after the version was read; these do not belong to it.
        rows = Message.objects.using(alias).filter(conversation=id, position__lt=version).order_by('position')

        def blobs(names: Sequence[str]) -> Mapping[str, bytes]:
            of_names = Blob.objects.using(alias).filter(pk__in=names)
            return {name: bytes(data) for name, data in of_names.values_list('pk', 'data')}

        return messages_of([*rows.values_list('body', flat=True)], blobs, f'conversation {id!r}'), version

    def append(self, id: str, version: int, messages: Sequence[ModelMessage]) -> int:  # noqa: A002
        """Add messages behind those of a version, all of them or none.

        Returns:
            The new version.

        Raises:
            ConversationConflict: Another writer has added to the conversation since that version.
        """
        _checked(id)
        if not messages:
            return version
        alias = self._for_writing()
        with transaction.atomic(using=alias):
            self._advance(alias, id, version, version + len(messages))
            rows = [
                Message(conversation_id=id, position=version + n, kind=message.kind)
                for n, message in enumerate(messages)
            ]
            self._write(alias, rows, messages)
            self._ask(alias, id, messages)
        return version + len(messages)

    def list(self, *, prefix: str = '', limit: int | None = None) -> Sequence[str]:
        """The ids of conversations that begin with `prefix`, those that changed last first.

        Args:
            prefix: How they begin; the empty string takes all.
            limit: The most ids, or None for all.

        Raises:
            UserError: `limit` is no number above 0.
        """
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            raise UserError(f'limit must be an integer above 0, or None, not {limit!r:.100}')
        rows = Conversation.objects.using(self.using or router.db_for_read(Conversation))
        names = rows.filter(name__startswith=prefix).order_by('-updated_at', 'name').values_list('name', flat=True)
        # SQLite compares the prefix without regard to upper case.
        return [*islice((name for name in names.iterator() if name.startswith(prefix)), limit)]

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove a conversation, its unshared files, and its waiting calls."""
        _checked(id)
        alias = self._for_writing()
        with transaction.atomic(using=alias):
            files = Blob.objects.using(alias).filter(messages__conversation=id)
            names = [*files.order_by().values_list('pk', flat=True).distinct()]
            Conversation.objects.using(alias).filter(pk=id).delete()
            # Locked against a writer that is about to refer to the same file.
            locked = [*Blob.objects.using(alias).select_for_update().filter(pk__in=names).values_list('pk', flat=True)]
            Blob.objects.using(alias).filter(pk__in=locked, messages=None).delete()

    def decisions(self, id: str) -> dict[str, Decision]:  # noqa: A002
        """The decisions about the waiting calls of a conversation, by their ids, for `resume_sync`."""
        decided = ApprovalRequest.objects.using(self._for_writing()).filter(conversation=id, resumed_at=None)
        return {row.call_id: _decision(row) for row in decided.exclude(status=ApprovalRequest.Status.PENDING)}

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _for_writing(self) -> str:
        return self.using or str(router.db_for_write(Conversation))

    def _advance(self, alias: str, id: str, old: int, new: int) -> None:  # noqa: A002
        """Advance the version; only one of several writers can."""
        if old:
            conversation = Conversation.objects.using(alias).filter(pk=id, version=old)
            if conversation.update(version=new, updated_at=timezone.now()):
                return
        else:
            try:
                with transaction.atomic(using=alias):  # a savepoint: PostgreSQL ends a transaction at an error
                    Conversation.objects.using(alias).create(pk=id, version=new)
            except IntegrityError:
                pass
            else:
                return
        raise ConversationConflict(
            f'Another writer has added to conversation {id!r} since version {old}: load it again, and ask again',
            id=id,
            version=old,
        )

    def _write(self, alias: str, rows: Sequence[Message], messages: Sequence[ModelMessage]) -> None:
        files: dict[str, bytes] = {}
        names: list[set[str]] = []
        for row, message in zip(rows, messages, strict=True):
            record = record_of(message)
            row.body = record.text
            files |= record.blobs
            names.append(set(record.blobs))
        self._write_files(alias, files)
        stored = Message.objects.using(alias).bulk_create(rows)
        links = [(row, name) for row, of_row in zip(stored, names, strict=True) for name in of_row]
        through: Any = Message.blobs.through
        through.objects.using(alias).bulk_create(through(message_id=row.pk, blob_id=name) for row, name in links)

    def _write_files(self, alias: str, files: Mapping[str, bytes]) -> None:
        if not files:
            return
        blobs = [Blob(pk=name, data=data, size=len(data)) for name, data in files.items()]
        Blob.objects.using(alias).bulk_create(blobs, ignore_conflicts=True)
        # Locked against a `delete` that finds no message of an existing file.
        present = {*Blob.objects.using(alias).select_for_update().filter(pk__in=files).values_list('pk', flat=True)}
        Blob.objects.using(alias).bulk_create([blob for blob in blobs if blob.pk not in present])

    def _ask(self, alias: str, id: str, messages: Sequence[ModelMessage]) -> None:  # noqa: A002
        """Add rows for newly waiting calls, and remove rows of answered calls."""
        last = messages[-1]
        waiting = last.pending if isinstance(last, ModelRequest) else ()
        rows = ApprovalRequest.objects.using(alias)
        settled = rows.filter(conversation=id, resumed_at=None).exclude(call_id__in=[call.id for call in waiting])
        taken_back = any(isinstance(m, ModelRequest) and m.stands_for and is_rewind(m) for m in messages)
        if all(isinstance(message, ModelRequest) for message in messages) and not waiting and not taken_back:
            # A single return, stored at once: other calls of the same response may still wait.
            settled = settled.filter(call_id__in=[name for message in messages for name in _answered(message)])
        settled.update(resumed_at=timezone.now())
        for call in waiting:
            rows.get_or_create(conversation_id=id, call_id=call.id, resumed_at=None, defaults=_shown(call))


def _answered(message: ModelMessage) -> list[str]:
    """The ids of the calls that a message answers."""
    return [str(getattr(part, 'tool_call_id', None)) for part in message.parts]


def _shown(call: PendingCall) -> dict[str, Any]:
    """The details of a call for the person who decides."""
    return {
        'tool_name': call.tool_name,
        'args': _as_json(call.args),
        'args_hash': call.args_hash,
        'reason': (call.reason or '').replace('\0', '\ufffd'),
        'details': _as_json(call.details),
    }


def _as_json(value: Any) -> Any:
    """The value for a JSON column, also in PostgreSQL; values that JSON lacks become text."""
    return json.loads(json.dumps(value, cls=_AnyJSONEncoder).replace('\\u0000', '\\ufffd'), parse_constant=str)


class _AnyJSONEncoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        """The value in JSON, or its text."""
        try:
            return super().default(o)
        except TypeError:
            return str(o)


def _decision(row: Any) -> Decision:
    if row.status == ApprovalRequest.Status.APPROVED:
        return Approve(args_hash=row.args_hash)
    return Deny(row.note, args_hash=row.args_hash)


def _checked(id: object) -> str:  # noqa: A002
    if not isinstance(id, str) or not 0 < len(id) <= _LONGEST_ID or '\0' in id or not _is_text(id):
        raise UserError(f'The id of a conversation must be a text of 1 to {_LONGEST_ID} characters, not {id!r:.100}')
    return id


def _is_text(text: str) -> bool:
    """Whether it can be encoded, which halves of surrogate pairs cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
