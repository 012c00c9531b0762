"""Models by their names."""

from __future__ import annotations

from .._providers.names import provider_name
from ..exceptions import UserError
from ._catalog.classes import model_class
from ._catalog.known_names import KNOWN_MODEL_NAMES, KnownModelName, did_you_mean, full_model_name, known_model_names
from ._catalog.providers import ENDED, PROVIDERS
from ._interface import Model
from ._route.defaults import defaults

__all__ = ['check_model', 'infer_model', 'provider_and_name']


def infer_model(model: Model | KnownModelName | str) -> Model:
    """The model called `provider:name`; a `Model` is returned as it is.

    Names that begin with `gpt-`, `claude-` or `gemini-`, and those like `o3-mini`, need no provider.

    Raises:
        UserError: There is no such provider; the message names the nearest ones. Unknown model names are allowed.
        MissingKeyError: No API key is set for the provider.
    """
    if isinstance(model, Model):
        return model
    provider, name = provider_and_name(model)
    if name == provider == 'test':
        from .test import TestModel

        return TestModel()
    http = defaults().http
    inferred: Model = model_class(provider)(name, provider=provider, **({} if http is None else {'http': http}))
    return inferred


def check_model(model: Model | str) -> None:
    """Raise UserError unless this is a model or the name of one; reads no key and no address."""
    if not isinstance(model, Model):
        provider_and_name(model)


def provider_and_name(model: str) -> tuple[str, str]:
    """The two parts of a model's name; reads no key and no address, so it can be called at any time.

    Raises:
        UserError: There is no such provider, or the name is invalid; the message names the nearest ones.
    """
    if not isinstance(model, str):
        raise UserError(f"model must be a Model or a name like 'openai:gpt-5.4-mini', not {model!r:.100}")
    if model == 'test':
        return model, model
    provider, colon, name = full_model_name(model).partition(':')
    if provider in ENDED:
        raise UserError(ENDED[provider])
    if not colon or not name or name.startswith(':') or provider not in PROVIDERS:
        raise UserError(_unknown_model(model, provider, name))
    return provider, name


def _unknown_model(model: str, provider: str, name: str) -> str:
    if (wrong := _badly_written(model, provider, name)) is not None:
        return wrong
    if not name:
        provider = provider_name(provider)
    if provider in PROVIDERS:
        return _without_a_name(model, provider)
    if name:
        near = did_you_mean(provider, list(PROVIDERS))
        return f"Unknown provider {provider!r} in {model!r}; write 'provider:model'. {near}"
    first, slash, rest = model.partition('/')
    if slash and rest and provider_name(first) in PROVIDERS:
        return f'Model {model!r} has a slash where a colon belongs: write {provider_name(first) + ":" + rest!r}'
    same = [n for n in KNOWN_MODEL_NAMES if n.partition(':')[2] == model]
    near = f'Did you mean {" or ".join(map(repr, same))}?' if same else did_you_mean(model, list(KNOWN_MODEL_NAMES))
    if near.startswith('Known are'):  # the full list would be a page
        near = f'Known providers are {", ".join(map(repr, PROVIDERS))}.'
    return f"Unknown model {model!r}; write 'provider:model'. {near}"


def _badly_written(model: str, provider: str, name: str) -> str | None:
    if not model.strip():
        return "The model's name is empty; write it like 'openai:gpt-5.4-mini'"
    if (bare := model.strip().strip('"\'')) != model.strip():
        return f'Model {model!r} is written with its quotes: write {bare!r} without them'
    if name.startswith(':'):
        return f'Model {model!r} has two colons: write {provider + ":" + name.lstrip(":")!r}'
    return None


def _without_a_name(model: str, provider: str) -> str:
    names = known_model_names(provider)
    if PROVIDERS[provider].deployments:
        return f"{PROVIDERS[provider].title} needs the name of a deployment: write '{provider}:my-deployment'"
    if not names:
        return f"Model {model!r} names a provider and no model; write '{provider}:model'"
    return f'Model {model!r} names a provider and no model. {did_you_mean(model, names)}'
