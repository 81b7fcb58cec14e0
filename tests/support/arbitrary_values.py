"""Hypothesis strategies for input that nobody should send: JSON of any shape, invalid JSON, almost valid objects."""

import json
import os
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("UPCALL_FUZZ", "0"))
"""Set by `make fuzz`: the number of random examples for each test. Otherwise they are few and always the same."""

fuzz_settings = settings(
    max_examples=EXAMPLES or 80,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

DEPTH = 3000
"""Levels of nesting that no parser accepts."""

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)
"""Any characters, including lone surrogates and control characters."""

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

edge_case_texts = st.sampled_from(
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
"""Texts that are not JSON, or that JSON parsers treat differently."""


def similar_objects(valid: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the fields of a valid one and others; values are valid, partly valid or arbitrary."""
    fields = {name: st.just(value) | values | _similar_values(value) for name, value in valid.items()}
    return st.builds(
        lambda known, other: {**other, **known},
        st.fixed_dictionaries({}, optional=fields),
        st.just({}) | st.dictionaries(texts, values, max_size=2),
    )


def to_json(value: Any) -> str:
    """The value as JSON text. Lone surrogates and NaN are written as Python writes them."""
    return json.dumps(value)


def nested_objects(levels: int) -> dict[str, Any]:
    """Objects in objects."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def _similar_values(value: Any) -> st.SearchStrategy[Any]:
    if isinstance(value, Mapping):
        return similar_objects(value)
    if isinstance(value, list) and value:
        return st.lists(_similar_values(value[0]) | values, max_size=3)
    return values
