"""Journals: the results of many rows, kept under keys, so that a map or a batch that is killed pays for no row twice.

    for row in agent.map_sync(rows, journal='run.sqlite', key=lambda item: item.pk, prompt=as_prompt):
        save(row.key, row.data)

When the same line runs again, finished rows come back from the journal and the others are made. Most programs need
nothing else of this module. The rest is for programs that read a journal, or write one themselves.

**A place.** `Journal('run.sqlite')` is a SQLite file, for the processes of one machine; `Journal('postgresql://...')`,
`Journal('redis://...')` and `Journal('django:default')` are for several machines. A `name=` (or the fragment of an
address) keeps several journals in one place. `journal.rows(City)` are its rows, `journal.counts()` how many there are,
and `journal.forget([key])` makes the next map pay for a row again.

**A run of a map or batch** opens it:

    with Journal('run.sqlite').open(Fingerprint({'model': ...}), City, share=True) as journal:
        entries = journal.look(keys)       # an Entry that is done, failed, sent, or claimed elsewhere; or None: make it
        journal.put(key, map_row)          # any thread; never waits; committed within 50 ms
        journal.put_entries([Entry(key=key, state='sent', note=job)])    # one commit, now
        journal.set_note('jobs', text)     # a text of its own, for any process

- `Fingerprint` names what answers depend on besides the prompts. If it is not that of the rows, `open` raises a
  `UserError` that lists what changed, unless `on_change='redo'` or `'keep'` says what to do.
- A key is JSON: `key_text(key)` writes one, `key_value(text)` reads it.
- An `Entry` is a row as it is kept, all JSON; `open_journal.codec` makes entries of `MapRow`s and back.
- With `share=True` a row is claimed, atomically, when `look` returns None for it. Claims are free again when
  the journal is closed, when the process is gone (at once on the same machine), and after a `lease` of silence.
- Without it, a second process is refused.
- `StoreError` says that the place is lost, locked or full; `UserError` that it is no journal, or a newer one. Nothing
  is overwritten then.
"""

from __future__ import annotations

from ._codec import RowCodec, messages_text, prompt_messages, prompt_of
from ._entries import Entry
from ._fingerprint import Fingerprint
from ._journal import Journal
from ._keys import key_text, key_value, prompt_key
from ._open import OpenJournal

__all__ = [
    'Entry',
    'Fingerprint',
    'Journal',
    'key_text',
    'key_value',
    'messages_text',
    'OpenJournal',
    'prompt_key',
    'prompt_messages',
    'prompt_of',
    'RowCodec',
]
