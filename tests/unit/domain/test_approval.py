"""When a call needs an approval: only a condition that is certainly false does without."""

import math
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from upcall.domain.approval import ApprovalRule, needs_approval


class Currency(Enum):
    EUR = "EUR"


class Order(BaseModel):
    total: float
    lines: list[str] = []


@pytest.mark.parametrize(
    ("condition", "arguments", "expected"),
    [
        ("required", {}, True),
        ("amount > 100", {"amount": 100.01}, True),
        ("amount > 100", {"amount": 100}, False),
        ("amount > 100", {"amount": Decimal("100.5")}, True),
        ("amount < -5", {"amount": -6}, True),
        ("0 < amount <= 10", {"amount": 10}, True),
        ("0 < amount <= 10", {"amount": 0}, False),
        ('currency != "EUR"', {"currency": "EUR"}, False),
        ('currency != "EUR"', {"currency": Currency.EUR}, False),
        ('currency in ["USD", "GBP"]', {"currency": "USD"}, True),
        ('currency not in ["USD", "GBP"]', {"currency": "USD"}, False),
        ('"payroll" in message', {"message": "The payroll is late."}, True),
        ('"fee" in order.lines', {"order": {"lines": ["fee"]}}, True),
        ("order.total >= 50", {"order": Order(total=49)}, False),
        ("order.total >= 50", {"order": Order(total=50)}, True),
        ("urgent == True", {"urgent": False}, False),
        ("reason == None", {"reason": None}, True),
        ("reason == None", {"reason": "x"}, False),
        ("not amount < 10", {"amount": 3}, False),
        ("amount > 5 and urgent == True", {"amount": 6, "urgent": False}, False),
        ("amount > 5 or urgent == True", {"amount": 6, "urgent": False}, True),
        ("amount > limit", {"amount": 6, "limit": 5}, True),
    ],
)
def test_a_condition_compares_the_arguments(
    condition: str, arguments: dict[str, Any], expected: bool
) -> None:
    assert needs_approval(condition, arguments) is expected


@pytest.mark.parametrize(
    ("condition", "arguments"),
    [
        ("amount > 100", {}),
        ("amount > 100", {"amount": None}),
        ("amount > 100", {"amount": "5"}),
        ("amount > 100", {"amount": True}),
        ("amount > 100", {"amount": math.nan}),
        ("amount > 100", {"amount": -math.inf}),
        ("amount == 100", {"amount": "99"}),
        ("urgent == True", {"urgent": 0}),
        ('name == "x"', {"name": ["x"]}),
        ("order.total > 5", {"order": {"sum": 1}}),
        ("order.total > 5", {"order": "x"}),
        ("order.model_fields == 5", {"order": Order(total=1)}),
        ("a in b", {"a": "x", "b": 5}),
        ("amount > 100 and other == 1", {"amount": 1}),
    ],
)
def test_what_cannot_be_compared_needs_an_approval(condition: str, arguments: dict[str, Any]) -> None:
    assert needs_approval(condition, arguments)


@pytest.mark.parametrize(
    "rule",
    [
        "required",
        "amount > 100",
        "a.b.c == 'x'",
        "not (a in [1, 2.5, 'x'] or b != None)",
        "1 < a < b",
        "a > -1",
    ],
)
def test_a_rule_is_valid(rule: str) -> None:
    assert TypeAdapter(ApprovalRule).validate_python(rule) == rule


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", "is neither"),
        ("always", "compares nothing"),
        ("True", "compares nothing"),
        ("amount >", "is neither"),
        ("amount > 100; x", "is neither"),
        ("len(name) > 5", "may hold arguments and constants"),
        ("items[0] > 5", "may hold arguments and constants"),
        ("amount * 2 > 5", "may hold arguments and constants"),
        ("f'{x}' == 'x'", "may hold arguments and constants"),
        ("(lambda: 1) == 1", "may hold arguments and constants"),
        ("a is None", "use == or !="),
        ("a in 5", "needs a list"),
        ("a > 1 or b", "compares nothing"),
        ("(" * 5000, "at most 500 characters"),
        ("not " * 120 + "a > 1", ""),
        ("\x00", "is neither"),
    ],
)
def test_an_invalid_rule_says_what_is_wrong_or_is_harmless(rule: str, reason: str) -> None:
    if not reason:
        assert needs_approval(rule, {"a": 2}) is True
        return
    with pytest.raises(ValidationError, match=reason):
        TypeAdapter(ApprovalRule).validate_python(rule)
