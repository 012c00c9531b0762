"""Requests to models, recorded in a file and replayed from it: for tests without a network, and as a cache.

```python
from syncai.tape import Tape

with Tape('tests/tapes/refund.json', mode='once'):
    agent.run_sync('I want my money back')
```

With pytest the fixture `tape` gives each test a tape of its own; `--tape=once|replay|refresh|off` says what they do.
"""

from ._arguments import TapeMode
from ._rewriting import Rewriting
from ._tape import Tape

__all__ = ['Rewriting', 'Tape', 'TapeMode']
