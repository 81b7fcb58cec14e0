"""What nobody should send: JSON of any shape, text that is no JSON, and what looks right at first."""

import json
import os
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("UPCALL_FUZZ", "0"))
"""For `make fuzz`: so many examples for each test, each time others. Else they are few and always the same."""

fuzzed = settings(
    max_examples=EXAMPLES or 80,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

DEPTH = 3000
"""Deeper than any parser goes."""

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)
"""With halves of surrogate pairs, control characters, anything."""

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**63, 1e308, -0.0])
    | st.floats()
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)

broken = st.sampled_from(
    [
        "",
        "{",
        "nul",
        '{"prompt": "a", "prompt": 1}',
        '{"prompt": "a", "limits": {"rounds": NaN}}',
        '{"prompt": "a", "limits": {"rounds": ' + "9" * 5000 + "}}",
        '{"prompt": ' + "[" * DEPTH + "]" * DEPTH + "}",
        "[" * DEPTH,
        '{"a":' * DEPTH,
        '\ufeff{"prompt": "a"}',
        '{"prompt": "\\ud800"}',
        '{"\\ud800": "a"}',
        '{"\\u0000": "a"}',
    ]
)


def like(right: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, whose values are right, wrong, or right but for a part; and others."""
    fields = {name: st.just(value) | values | _part(value) for name, value in right.items()}
    return st.builds(
        lambda known, other: {**other, **known},
        st.fixed_dictionaries({}, optional=fields),
        st.just({}) | st.dictionaries(texts, values, max_size=2),
    )


def _part(value: Any) -> st.SearchStrategy[Any]:
    """What is like a value: with wrong parts, where it has parts."""
    if isinstance(value, Mapping):
        return like(value)
    if isinstance(value, list) and value:
        return st.lists(_part(value[0]) | values, max_size=3)
    return values


def written(value: Any) -> str:
    """A value as JSON text. Halves of surrogate pairs and NaN are written as Python writes them."""
    return json.dumps(value)


def nested(levels: int) -> dict[str, Any]:
    """Objects in objects."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value
