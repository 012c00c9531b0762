"""A model of a provider at another address."""

from __future__ import annotations

import copy

from .._catalog.address import is_loopback
from .._catalog.classes import model_class
from .._catalog.known_names import full_model_name
from .._catalog.providers import PROVIDERS
from .._http.model import HttpModel
from .._infer import infer_model
from .._interface import Model
from ..fallback import FallbackModel

__all__ = ['asked_at']

_NO_KEY = 'model-server'
"""Sent instead of a key, so that a test needs no key and shows none to the server."""


def asked_at(base_url: str, model: Model | str | None) -> Model:
    """This model at another address, without its key.

    Models without HTTP, those on loopback and those with the user's transport are set up by the test, and stay.

    Raises:
        UserError: There is no such provider.
    """
    if isinstance(model, FallbackModel):
        other = copy.copy(model)
        other.models = tuple(asked_at(base_url, one) for one in model.models_or_names)
        return other
    if isinstance(model, HttpModel):
        return model if is_loopback(model.base_url) or model.has_transport else model.at(base_url)
    if isinstance(model, Model) or model == 'test':
        return infer_model(model)
    return _named(model, base_url)


def _named(model: str | None, base_url: str) -> Model:
    provider, _, name = full_model_name(model or f'openai:{_NO_KEY}').partition(':')
    if provider not in PROVIDERS or not name:
        return infer_model(model or '')  # raises
    if provider == 'google-vertex':  # whose project and login do not matter here
        provider = 'google'
    model_there: Model = model_class(provider)(name, provider=provider, base_url=base_url, api_key=_NO_KEY)
    return model_there
