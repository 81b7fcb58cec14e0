import pytest

from upcall.aws.dynamodb import deserialize_item, serialize_item


@pytest.mark.parametrize(
    ("number", "stored"),
    [
        (0.25, 0.25),
        (1e-130, 1e-130),
        (1e-131, 1e-130),
        (2.225073858507e-311, 1e-130),
        (-5e-324, -1e-130),
        (0.0, 0),
    ],
)
def test_a_float_that_is_too_small_for_the_table_is_stored_as_the_smallest(
    number: float, stored: float
) -> None:
    """A caller may send one: a share of failures, a number of dollars."""
    item = serialize_item("pk", "sk", {"limits": {"usd": number}})

    assert float(deserialize_item(item)["limits"]["usd"]) == stored
