"""Django (extra `django`): streamed views, settings, conversations in the project's database, approvals in the admin.

Add `'syncai.contrib.django'` to `INSTALLED_APPS`; docs/django.md is the guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._base.lazy import importer

if TYPE_CHECKING:
    from .store import DjangoStore
    from .views import chat_page, chat_view, stream_response

__all__ = ['chat_page', 'chat_view', 'DjangoStore', 'stream_response']

# Imported when first used: the models of a store cannot be imported before Django has loaded its applications.
_import = importer(
    __name__, {'chat_page': 'views', 'chat_view': 'views', 'DjangoStore': 'store', 'stream_response': 'views'}
)


def __getattr__(name: str) -> object:
    try:
        return _import(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition('.')[0] not in ('django', 'asgiref'):
            raise
        raise ModuleNotFoundError(
            f"syncai.contrib.django needs {error.name}: pip install 'syncai-client[django]'", name=error.name
        ) from None
