"""A patch that evaluates JSONata expressions with bound variables. Fits moto 5.2.5 and jsonata-python 0.7.1.

moto writes the data of the state and all variables as text in front of each expression, and parses it in pure
Python for each evaluation, up to three times. Here only the expression is parsed, once, and data are bound to
its variables. That halves the processor time of a run.
"""

import copy
import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.component.intrinsic.jsonata import get_intrinsic_functions_declarations
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.jsonata.jsonata import (
    JSONataException,
    compose_jsonata_expression,
    extract_jsonata_variable_references,
)
from moto.stepfunctions.parser.asl.jsonata.validations import validate_jsonata_expression_output
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment

STATES_FIELDS = ("input", "context", "result", "errorOutput")

UNDEFINED = "$nothing"
"""An expression whose value is undefined."""


class UndefinedValue(Exception):
    """The value of an expression is undefined."""


def bind_variables() -> None:
    """Let moto bind the variables of an expression instead of parsing their values."""
    StringJSONata._eval_body = _evaluate_body  # type: ignore[method-assign]


def evaluate_with(expression: str, variables: Mapping[str, Any]) -> Any:
    """The JSON value of a JSONata expression. `variables` are JSON values by their names without `$`.

    Raises UndefinedValue, and JSONataException if the evaluation fails.
    """
    try:
        evaluator = _new_evaluator(expression)
        result = evaluator.evaluate(None, {name: _to_jsonata(value) for name, value in variables.items()})
        # as text: lists of jsonata-python become lists, and nothing is shared with the variables
        text = None if result is None else json.dumps(Utils.convert_nulls(result))
    except Exception as error:
        raise JSONataException("Error", str(error)) from error
    if text is None:
        raise UndefinedValue(expression)
    return json.loads(text)


def _evaluate_body(self: StringJSONata, env: "Environment") -> None:
    store = env.variable_store
    variables = {**store._outer_scope, **store._inner_scope, "states": _referenced_data(self.expression, env)}
    try:
        env.stack.append(evaluate_with(self.expression, variables))
    except UndefinedValue:  # moto raises the error of an undefined result, and adds its event
        validate_jsonata_expression_output(env, self.expression, UNDEFINED, None)  # type: ignore[arg-type]
    except JSONataException as error:
        raise FailureEventException(_query_evaluation_error(env, str(error))) from error


def _query_evaluation_error(env: "Environment", cause: str) -> FailureEvent:
    """The error of AWS for an expression that fails, `$error` included. moto has States.Runtime for it."""
    name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = EvaluationFailedEventDetails(cause=cause, error=name.error_name)
    return FailureEvent(
        env=env,
        error_name=name,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(evaluationFailedEventDetails=details),  # type: ignore[typeddict-item]
    )


def _referenced_data(expression: str, env: "Environment") -> dict[str, Any]:
    """The fields of `$states` that the expression refers to, or all of them if it refers to `$states`."""
    references = _references(expression)
    data = env.states._states_data
    if "$states" in references:
        return dict(data)
    fields = [
        field for field in STATES_FIELDS if any(each.startswith(f"$states.{field}") for each in references)
    ]
    return {field: data[field] for field in fields}  # type: ignore[literal-required]


@cache
def _references(expression: str) -> frozenset[str]:
    return frozenset(extract_jsonata_variable_references(expression))


def _new_evaluator(expression: str) -> Any:
    """An evaluator of the expression for this thread: functions such as `$millis` find it there."""
    evaluator = copy.copy(_parsed(expression))
    evaluator.environment = evaluator.create_frame(Jsonata.static_frame)
    Jsonata.CURRENT.jsonata = evaluator
    return evaluator


@cache
def _parsed(expression: str) -> Any:
    """The syntax tree of an expression, which its evaluation does not change."""
    functions = get_intrinsic_functions_declarations(variable_references=set(_references(expression)))
    parsed = Jsonata(compose_jsonata_expression(expression, [functions]))
    parsed.set_output_convert_nulls(False)
    return parsed


def _to_jsonata(value: Any) -> Any:
    """A value of moto as JSONata's parser would read its JSON: nulls have a type, and 2.0 is 2."""
    match value:
        case None:
            return Utils.NULL_VALUE
        case str() | bool() | int():
            return value
        case float():
            return Utils.convert_number(value)
        case dict():
            return {name: _to_jsonata(each) for name, each in value.items()}
        case list():
            return [_to_jsonata(each) for each in value]
        case _:  # the time at which an execution started
            return json.loads(to_json_str(value))
