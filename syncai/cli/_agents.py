"""The agent that a command uses: one of a program, or one made of the options."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from ..agent import Agent
from ..exceptions import UserError
from ..models._infer import check_model

__all__ = ['agent_at', 'is_place']


def agent_at(place: str) -> Agent[Any, Any]:
    """The agent that `module:name` names; the module is looked for in the current directory too.

    Raises:
        UserError: There is no such module or name, or it is no agent.
    """
    module_name, _, name = place.partition(':')
    if not module_name or not name:
        raise UserError(f'{place!r} does not name an agent: write module:agent, as in shop.agents:helper')
    if os.getcwd() not in sys.path:  # noqa: PTH109 - a text, as those of sys.path
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        value: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f'{module_name}.'.startswith(f'{error.name}.'):
            raise  # the module exists, and imports another one that does not
        raise UserError(f'There is no module {error.name!r} in {os.getcwd()} or installed') from None  # noqa: PTH109
    for part in name.split('.'):
        if not hasattr(value, part):
            raise UserError(f'The module {module_name!r} has no {name!r}{_agents_in(value)}')
        value = getattr(value, part)
    if not isinstance(value, Agent):
        raise UserError(f'{place} is of type {type(value).__name__}, and not an Agent')
    return value


def is_place(text: str) -> bool:
    """Whether a text names an agent of a program, and no model.

    Raises:
        UserError: It names neither.
    """
    try:
        check_model(text)
    except UserError:
        module_name, _, name = text.partition(':')
        if name and module_name.replace('.', '').isidentifier() and _is_module(module_name.partition('.')[0]):
            return True
        raise
    return False


def _is_module(name: str) -> bool:
    here = Path.cwd() / name
    return here.is_dir() or here.with_suffix('.py').is_file() or importlib.util.find_spec(name) is not None


def _agents_in(module: Any) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, Agent)]
    return f'; it has {", ".join(names)}' if names else '; it has no agent'
