"""Which tool calls need an approval: all of a tool, or those whose arguments meet a condition.

A condition is one line, such as `amount > 100` or `currency != "EUR" and order.total >= 50`. It compares
arguments with constants, lists of constants and each other: `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`,
joined by `and`, `or` and `not`. Parts of an argument follow a dot. The syntax is Python's; nothing is called.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel

REQUIRED: Final = "required"
"""In place of a condition: every call needs an approval."""

MAX_CONDITION_CHARACTERS: Final = 500

_ORDERINGS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _check_condition(text: str) -> str:
    if text == REQUIRED:
        return text
    if len(text) > MAX_CONDITION_CHARACTERS:
        raise ValueError(f"must have at most {MAX_CONDITION_CHARACTERS} characters")
    try:
        condition = _parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: a null byte
        raise ValueError(f"is neither {REQUIRED!r} nor a condition such as amount > 100") from None
    _check_node(condition)
    return text


ApprovalRule = Annotated[str, AfterValidator(_check_condition)]
"""`required`, or a condition on the arguments."""


def needs_approval(rule: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a call with these arguments needs an approval.

    It needs none only if the condition is certainly false. An argument that is missing, and two values that
    cannot be compared (a number and a text, or a number that is not finite), need one. So each part of a
    condition is evaluated, also those that would not change it.
    """
    if rule == REQUIRED:
        return True
    try:
        return _evaluate(_parse(rule), arguments)
    except (LookupError, TypeError, ValueError, SyntaxError, RecursionError):
        return True


def _parse(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def _check_node(node: ast.expr) -> None:
    """Raise ValueError for a condition that is no comparison."""
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check_node(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check_node(operand)
        case ast.Compare(left=left, ops=operators, comparators=others):
            for each in (left, *others):
                _check_value(each)
            for each_operator, other in zip(operators, others, strict=True):
                if isinstance(each_operator, ast.Is | ast.IsNot):
                    raise ValueError("compares with `is`: use == or !=")
                if isinstance(each_operator, ast.In | ast.NotIn) and _is_scalar_constant(other):
                    raise ValueError("needs a list, a text or an argument after `in`")
        case _:
            raise ValueError(f"{ast.unparse(node)!r} compares nothing; an example is: amount > 100")


def _is_scalar_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


def _check_value(node: ast.expr) -> None:
    match node:
        case ast.Name():
            return
        case ast.Attribute(value=value):
            _check_value(value)
        case ast.Constant(value=str() | bool() | int() | float() | None):
            return
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for element in elements:
                _check_value(element)
        case _:
            raise ValueError(f"may hold arguments and constants, not {ast.unparse(node)!r}")


def _evaluate(node: ast.expr, arguments: Mapping[str, Any]) -> bool:
    match node:
        case ast.BoolOp(op=each, values=nodes):
            parts = [_evaluate(part, arguments) for part in nodes]
            return all(parts) if isinstance(each, ast.And) else any(parts)
        case ast.UnaryOp(operand=operand):
            return not _evaluate(operand, arguments)
        case ast.Compare(left=left, ops=operators, comparators=others):
            values = [_value(each, arguments) for each in (left, *others)]
            results = list(map(_compare, operators, values, values[1:]))
            return all(results)
    raise TypeError


def _value(node: ast.expr, arguments: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=name):
            return _plain(arguments[name])
        case ast.Attribute(value=owner, attr=name):
            return _plain(_field(_value(owner, arguments), name))
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_value(each, arguments) for each in elements]
    raise TypeError


def _field(owner: Any, name: str) -> Any:
    if isinstance(owner, Mapping):
        return owner[name]
    if isinstance(owner, BaseModel) and name in type(owner).model_fields:
        return getattr(owner, name)
    raise LookupError(name)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _compare(comparison: ast.cmpop, one: Any, other: Any) -> bool:
    match comparison:
        case ast.Eq():
            return _are_equal(one, other)
        case ast.NotEq():
            return not _are_equal(one, other)
        case ast.In():
            return _is_in(one, other)
        case ast.NotIn():
            return not _is_in(one, other)
    _check_comparable(one, other, None)
    return _ORDERINGS[type(comparison)](one, other)


def _are_equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    _check_comparable(one, other, bool)
    return bool(one == other)


def _is_in(one: Any, other: Any) -> bool:
    if isinstance(other, str):
        _check_comparable(one, other, None)
        return one in other
    if isinstance(other, list | tuple | set | frozenset):
        results = [_are_equal(one, _plain(each)) for each in other]
        return any(results)
    raise TypeError


def _check_comparable(one: Any, other: Any, beside: type | None) -> None:
    """Raise TypeError unless both are texts, finite numbers, or of the type `beside`."""
    if isinstance(one, str) and isinstance(other, str):
        return
    if beside is not None and isinstance(one, beside) and isinstance(other, beside):
        return
    if not (_is_number(one) and _is_number(other)):
        raise TypeError


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)
