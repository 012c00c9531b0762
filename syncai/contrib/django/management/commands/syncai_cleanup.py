"""`manage.py syncai_cleanup`: remove conversations by their age, and files that no message has."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from ...models import ApprovalRequest, Blob, Conversation
from ...store import DjangoStore

__all__ = ['Command']

_UNUSED_FOR = timedelta(hours=1)  # a file that was just written may be about to get its message


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days < 100_000:
        raise ArgumentTypeError(f'{text} is not a number of days, 0 or above')
    return days


class Command(BaseCommand):
    """The command; to be run each night by cron or a task."""

    help = 'Remove conversations that nothing was added to for some days, but for those that wait for a person.'

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument('--days', type=_days, required=True, help='The age from which they are removed.')
        parser.add_argument('--prefix', default='', help='Only those whose id begins with this.')
        parser.add_argument('--waiting', action='store_true', help='Also those with calls that wait for a decision.')
        parser.add_argument('--database', default=DEFAULT_DB_ALIAS, help='The alias of the database.')
        parser.add_argument('--dry-run', action='store_true', help='Print what would be removed, and remove nothing.')

    def handle(
        self, *_: Any, days: float, prefix: str, waiting: bool, database: str, dry_run: bool, **options: Any
    ) -> None:
        """Remove them one by one, each in a transaction, so that no table is locked for long."""
        old = Conversation.objects.using(database).filter(
            updated_at__lt=timezone.now() - timedelta(days=days), name__startswith=prefix
        )
        if not waiting:
            of_status = ApprovalRequest.objects.using(database).filter(status=ApprovalRequest.Status.PENDING)
            old = old.exclude(pk__in=of_status.filter(resumed_at=None).values('conversation'))
        names = list(old.values_list('name', flat=True))
        if dry_run:
            for name in names:
                self.stdout.write(name)
            self.stdout.write(f'{len(names)} conversations would be removed.')
            return
        store = DjangoStore(using=database)
        for name in names:
            store.delete(name)
        unused = Blob.objects.using(database).filter(messages=None, created_at__lt=timezone.now() - _UNUSED_FOR)
        files, _count = unused.delete()
        verbose = options.get('verbosity', 1) > 0
        if verbose:
            self.stdout.write(f'{len(names)} conversations and {files} unused files were removed.')
