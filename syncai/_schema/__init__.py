"""Python types and signatures as JSON schemas, and JSON back as Python values; pure."""

from __future__ import annotations

from .answer import AnswerSchema
from .arriving_result import ArrivingResult
from .docstring import DocstringFormat
from .function import FunctionSchema, function_schema
from .result import ResultSpec, ResultTool, result_spec
from .signature import takes_context
from .validation import retry_errors

__all__ = [
    'AnswerSchema',
    'ArrivingResult',
    'DocstringFormat',
    'function_schema',
    'FunctionSchema',
    'result_spec',
    'ResultSpec',
    'ResultTool',
    'retry_errors',
    'takes_context',
]
