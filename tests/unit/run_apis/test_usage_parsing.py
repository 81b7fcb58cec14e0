"""Tokens in what servers send. Servers that send something else make a run neither cheaper than free nor fail."""

from typing import Any

import pytest

from upcall.domain.usage import Usage
from upcall.run_apis.parsing import parse_usage

NAMES = {"input_name": "prompt_tokens", "output_name": "completion_tokens"}


def test_cached_and_reasoning_tokens_are_in_the_details() -> None:
    counts = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 15},
        "total_tokens": 120,
    }
    expected = Usage(
        input_tokens=100,
        cached_tokens=60,
        cache_write_tokens=30,
        output_tokens=20,
        reasoning_tokens=15,
        total_tokens=120,
    )

    assert parse_usage(counts) == expected
    renamed = {
        key.replace("input", "prompt").replace("output", "completion"): each for key, each in counts.items()
    }
    assert parse_usage(renamed, **NAMES) == expected


@pytest.mark.parametrize(
    "details", [None, 7, "many", [], {}, {"cached_tokens": None}, [{"cached_tokens": 5}]]
)
def test_details_that_are_missing_or_malformed_count_as_none(details: Any) -> None:
    usage = parse_usage({"input_tokens": 3, "input_tokens_details": details, "total_tokens": 3})

    assert usage == Usage(input_tokens=3, total_tokens=3)


@pytest.mark.parametrize("count", [-1, 10**12, 1.5, "5", None, float("nan"), [5], {"n": 5}])
def test_a_number_of_cached_tokens_that_cannot_be_one_counts_as_none(count: Any) -> None:
    details = {"cached_tokens": count, "cache_write_tokens": count}

    assert parse_usage({"input_tokens": 3, "input_tokens_details": details}) == Usage(input_tokens=3)
