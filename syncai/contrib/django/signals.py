"""Signals of the application."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

__all__ = ['approval_decided']

approval_decided: Any = Signal()
"""Sent with `request=`, an `ApprovalRequest`, once its decision is committed: to continue in a task, say."""
