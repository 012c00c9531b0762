"""An agent that the processes of a pool import by its name, and whose results name the process."""

from __future__ import annotations

import os

from syncai import Agent, Tool
from syncai.exceptions import UserError
from syncai.models.test import TestModel

pooled = Agent(TestModel(custom_result_text='from a worker'), name='pooled')


@pooled.result_validator
def mark(data: str) -> str:
    if os.environ.get('SYNCAI_TEST_FAIL'):
        raise UserError('no such thing')
    return f'{data} {os.getpid()}'


def refund(order: str) -> str:
    """Pay back an order."""
    return f'refunded {order}'


paying = Agent(TestModel(custom_result_text='done'), name='paying', tools=[Tool(refund, approve=True)])
