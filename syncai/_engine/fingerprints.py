"""The fingerprint of a journal: everything besides the prompts that the answers of an agent depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._canonical import canonical_key, canonical_parameters, canonical_settings
from ..journal import Fingerprint
from ..models import Model
from ..parameters import ModelRequestParameters
from ..settings import merge_settings
from .plan import RunPlan
from .result_mode import result_schema


def fingerprint_of(plan: RunPlan[Any]) -> Fingerprint:
    """The fingerprint of the runs of an agent.

    Functions (of prompts, tools and validators) count by their names: their output is only known when they are called.

    Args:
        plan: The plan of any of the runs.
    """
    parts: dict[str, Any] = {
        'model': [_model_name(model) for model in _models_of(plan.model)],
        'settings': canonical_settings(merge_settings(plan.model.settings, plan.settings)),
        'system_prompts': [*plan.system_prompts, *(_name_of(one.function) for one in plan.prompt_functions)],
        'instructions': [one if isinstance(one, str) else _name_of(one.function) for one in plan.instructions],
        'result': _result(plan),
        'tools': {tool['name']: tool for tool in _tools(plan)},
        'history': canonical_key(list(plan.history), name='message_history') if plan.history else None,
    }
    return Fingerprint({name: part[0] if name == 'model' and len(part) == 1 else part for name, part in parts.items()})


def _models_of(model: Model) -> tuple[Model, ...]:
    from ..models.fallback import FallbackModel

    return model.models if isinstance(model, FallbackModel) else (model,)


def _model_name(model: Model) -> str:
    return f'{model.system}:{model.model_name}'


def _name_of(function: Callable[..., Any]) -> str:
    module = getattr(function, '__module__', None) or ''
    return f'{module}.{getattr(function, "__qualname__", type(function).__qualname__)}()'


def _tools(plan: RunPlan[Any]) -> list[Any]:
    parameters = ModelRequestParameters(function_tools=[tool.definition for tool in plan.tools.values()])
    tools: Any = canonical_parameters(parameters).get('function_tools', [])
    return list(tools)


def _result(plan: RunPlan[Any]) -> dict[str, Any]:
    """The mode and the schemas of structured results; always as tools, whatever the provider is asked for."""
    schema = None if plan.result_mode in ('text', 'tool') else result_schema(plan.spec)
    form: dict[str, Any] = canonical_parameters(
        ModelRequestParameters(
            result_tools=[tool.definition for tool in plan.result_tools.values()],
            allow_text_result=plan.spec.allow_text,
            result_mode=plan.result_mode,
            result_schema=schema,
        )
    )
    return {**form, 'validators': [_name_of(validator.function) for validator in plan.validators]}
