"""The agent of a fleet: a module that every worker can import."""

from __future__ import annotations

import os

from syncai import Agent
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions

agent = Agent(OpenAIChatModel('m', base_url=os.environ['MODEL_URL'], api_key='k', http=HttpOptions(max_retries=0)))


@agent.result_validator
def with_process(data: str) -> str:
    return f'{data} {os.getpid()}'


def as_prompt(number: int) -> str:
    return f'row {number}'


def as_key(number: int) -> int:
    return number
