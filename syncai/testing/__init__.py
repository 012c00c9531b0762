"""A model server for tests: real HTTP on loopback, scripted answers, faults on demand.

```python
from syncai.testing import ModelServer, Reply

with ModelServer([Reply('Hello ', 'world', usage=(3, 2))]) as server:
    ...  # point a client at server.base_url
assert server.requests[0].json['model'] == 'gpt-5.4-mini'
```

With pytest the fixture `model_server` gives a started server with an empty script; queue answers with
`model_server.reply(...)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._base.lazy import importer

if TYPE_CHECKING:
    from .batch_plan import BatchPlan
    from .forbidden import model_requests_forbidden
    from .recorded import RecordedRequest
    from .script import Reply, ToolCall
    from .server import ModelServer

__all__ = ['BatchPlan', 'model_requests_forbidden', 'ModelServer', 'RecordedRequest', 'Reply', 'ToolCall']

# Lazy, because pytest loads this package with its plugins, even in runs without a server.
if not TYPE_CHECKING:
    __getattr__ = importer(
        __name__,
        {
            'BatchPlan': 'batch_plan',
            'model_requests_forbidden': 'forbidden',
            'ModelServer': 'server',
            'RecordedRequest': 'recorded',
            'Reply': 'script',
            'ToolCall': 'script',
        },
    )
