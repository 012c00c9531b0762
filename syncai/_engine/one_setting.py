"""The value of a single setting. The model merges all settings, once, when it writes the request."""

from __future__ import annotations

from typing import Any

from ..models import Model
from ..settings import ModelSettings


def setting(model: Model, settings: ModelSettings, name: str) -> Any:
    """The value of a setting in a request to `model` with these settings; None wins over the model's own value."""
    if name in settings:
        return settings[name]  # type: ignore[literal-required]
    return (model.settings or {}).get(name)
