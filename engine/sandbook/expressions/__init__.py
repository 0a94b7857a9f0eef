"""Expressions `${{ … }}`: what a value is, and where it comes from."""

from sandbook.expressions._evaluate import evaluate, evaluate_condition
from sandbook.expressions._explain import why_false
from sandbook.expressions._json_paths import parse_json_path
from sandbook.expressions._known import not_booleans
from sandbook.expressions._syntax import end_of_expression, parse
from sandbook.expressions._tree import Path, paths
from sandbook.expressions._values import (
    Expression,
    ExpressionError,
    ExpressionSyntaxError,
    Kind,
    MissingValue,
    Scope,
    ShellText,
    Template,
    Value,
    expressions_in,
    secrets_in,
    steps_in,
    uses_item,
)
from sandbook.expressions._written import as_written, written_text

__all__ = [
    "Expression",
    "ExpressionError",
    "ExpressionSyntaxError",
    "Kind",
    "MissingValue",
    "Path",
    "Scope",
    "ShellText",
    "Template",
    "Value",
    "as_written",
    "end_of_expression",
    "evaluate",
    "evaluate_condition",
    "expressions_in",
    "not_booleans",
    "parse",
    "parse_json_path",
    "paths",
    "secrets_in",
    "steps_in",
    "uses_item",
    "why_false",
    "written_text",
]
