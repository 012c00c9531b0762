"""Messages kept under an id, over many runs: in memory, in a SQLite file, in Redis, or in a store of the program.

chat = agent.conversation('user-42', store=SQLiteStore('chats.db'), keep=Fit(0.7))
chat.run_sync('And its river?')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._base.lazy import importer
from ..exceptions import ConversationConflict
from ._conversation import Conversation
from ._keep import Fit, Keep, Last
from ._memory import MemoryStore
from ._records import Record, messages_of, record_of
from ._redis import RedisStore
from ._sqlite import SQLiteStore
from ._store import OnOpen, Save, Store

__all__ = [
    'Conversation',
    'ConversationConflict',
    'Fit',
    'Keep',
    'Last',
    'MemoryStore',
    'messages_of',
    'OnOpen',
    'Record',
    'record_of',
    'RedisStore',
    'Save',
    'SQLiteStore',
    'Store',
]

if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})
