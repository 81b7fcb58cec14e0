"""How the benchmark of waiting counts the units of a table."""

import pytest

from bench.waiting.table_usage import Index, count_read_units, count_write_units, item_bytes
from local.dynamodb import Item

BY_STATUS = Index(frozenset({"status"}), frozenset({"run_id", "status"}))


def item(status: str | None = None, text: str = "") -> Item:
    fields = {"run_id": {"S": "run_1"}, "text": {"S": text}}
    return fields if status is None else fields | {"status": {"S": status}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": "ä"}, 2),
        ({"N": "123"}, 2),
        ({"BOOL": True}, 1),
        ({"L": [{"S": "ab"}, {"NULL": True}]}, 3 + 3 + 2),
        ({"M": {"key": {"S": "ab"}}}, 3 + 1 + 3 + 2),
    ],
)
def test_an_item_has_the_size_of_its_names_and_values(value: Item, expected: int) -> None:
    assert item_bytes({"name": value}) == 4 + expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, item(), 1),
        (item(), None, 1),
        (item(), item(), 1),
        (item(text="x" * 3000), item(), 3),
        (None, item("queued"), 2),
        (item("queued"), item("queued", "more"), 1),
        (item("queued"), item("completed"), 3),
        (item("queued"), item(), 2),
    ],
    ids=[
        *("a new item", "a deleted item", "no change", "the larger of both items"),
        *("with an index entry", "an entry that stays", "an entry with another key", "an entry that goes"),
    ],
)
def test_a_write_counts_the_item_and_its_index_entries(
    before: Item | None, after: Item | None, expected: int
) -> None:
    old, new = ({} if each is None else {"run_1": each} for each in (before, after))

    assert count_write_units(old, new, [BY_STATUS]) == expected


@pytest.mark.parametrize(
    ("items", "consistent", "expected"),
    [([], True, 1), ([item()], False, 0.5), ([item(text="x" * 3000)] * 2, True, 2)],
)
def test_a_read_counts_4_kb_and_half_if_it_is_not_consistent(
    items: list[Item], consistent: bool, expected: float
) -> None:
    assert count_read_units(items, {"ConsistentRead": consistent}) == expected
