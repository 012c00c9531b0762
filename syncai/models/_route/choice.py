"""The model of programs that name none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..._providers.names import provider_name
from ...exceptions import UserError
from .._catalog.providers import PROVIDERS
from .._infer import check_model, infer_model
from .._interface import Model
from .defaults import Defaults, defaults

_MODEL_OF: Mapping[str, str] = {
    'openai': 'gpt-5.4-mini',
    'anthropic': 'claude-haiku-4-5',
    'google': 'gemini-flash-latest',
    'groq': 'openai/gpt-oss-20b',
    'mistral': 'mistral-small-latest',
    'deepseek': 'deepseek-chat',
    'xai': 'grok-4-1-fast-non-reasoning',
    'openrouter': 'anthropic/claude-sonnet-4.5',
    'together': 'meta-llama/Llama-3.3-70B-Instruct-Turbo',
    'fireworks': 'accounts/fireworks/models/gpt-oss-120b',
    'cerebras': 'gpt-oss-120b',
    'moonshot': 'kimi-k2.6',
    'zai': 'glm-4.7',
    # Keys that are often set for other purposes come last.
    'bedrock': 'global.anthropic.claude-haiku-4-5-20251001-v1:0',
    'huggingface': 'openai/gpt-oss-120b',
}
"""A small model of each provider, in the order in which keys are tried."""

MODEL_OF_KEY: Mapping[str, str] = {
    variable: f'{name}:{model}' for name, model in _MODEL_OF.items() for variable in PROVIDERS[name].key_variables
}
"""The variables of keys, in the order in which they are tried, and the model for each."""

_KEY_ENDING = re.compile(r'_?(API)?_?(KEY|TOKEN)$', re.IGNORECASE)


def chosen_model() -> str:
    """The name in `SYNCAI_MODEL`, else a small model of the first provider whose key is set.

    Raises:
        UserError: Neither is set; the message says what to write and what to set.
    """
    if name := os.environ.get('SYNCAI_MODEL', '').strip():
        try:
            check_model(name)
        except UserError as error:
            raise UserError(f'The environment variable SYNCAI_MODEL: {error}') from None
        return name
    for variable, model in MODEL_OF_KEY.items():
        if os.environ.get(variable, '').strip():
            return model
    raise UserError(
        "The run has no model: give one to the agent or to the call, as model='openai:gpt-5.4-mini', or name it in the "
        'environment variable SYNCAI_MODEL, or set the key of a provider, such as OPENAI_API_KEY or ANTHROPIC_API_KEY'
        + _almost_set()
    )


def _almost_set() -> str:
    """What to say of variables that were meant as keys: one that is empty, or has another name, or a file of them."""
    for name, value in os.environ.items():
        if name in MODEL_OF_KEY and not value.strip():
            return f'. {name} is set, and empty'
        provider = provider_name(_KEY_ENDING.sub('', name))
        if _KEY_ENDING.search(name) and provider in _MODEL_OF and value.strip():
            return f'. {name} is set: it must be called {PROVIDERS[provider].key_variables[0]}'
    if Path('.env').is_file():
        return ". There is a file .env, which is not read by itself: load it, as by python-dotenv's load_dotenv()"
    return ''


# The last settings and their model; any thread replaces both as one value.
_default: tuple[Defaults, Model] | None = None


def default_model() -> Model | None:
    """The model named by the settings of the application, or None.

    Raises:
        UserError: The settings are wrong, or their model has no key.
    """
    global _default
    current = defaults()
    if not isinstance(current.model, str):
        return current.model
    if (default := _default) is None or default[0] is not current:
        _default = default = current, infer_model(current.model)
    return default[1]
