"""Django (extra `django`): streamed views, settings, conversations in the project's database, approvals in the admin.

Add `'syncai.contrib.django'` to `INSTALLED_APPS`; docs/django.md is the guide.
"""

from __future__ import annotations

__all__: list[str] = []
