"""The patch that packs items. If a test fails, a new version of moto moved what is patched."""

import uuid
from typing import Any

import pytest
from moto.dynamodb.models.dynamo_type import Item

from local.dynamodb import _table
from local.moto_patches.packed_items import pack_resting_items
from local.stack import LocalStack
from upcall.aws.dynamodb import Table

VALUES: dict[str, Any] = {
    "text": 'é"\\ \u2028',
    "empty": "",
    "number": 7,
    "fraction": 0.1,
    "yes": True,
    "nothing": None,
    "names": {"a", "b"},
    "numbers": {1, 2},
    "values": [1, "b", {"c": [None, False]}],
    "map": {"x": {"y": ["z", 1.5]}, "empty": {}},
}


@pytest.fixture
def table(local_stack: LocalStack) -> Table:
    return Table(local_stack.deployed.dynamodb, local_stack.deployed.table)


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


def stored(local_stack: LocalStack, name: str) -> list[Item]:
    """The items of a partition, as moto holds them."""
    items = _table(local_stack.deployed.table).items
    return [item for key, partition in items.items() if key.value == name for item in partition.values()]


def is_packed(item: Item) -> bool:
    return item.__dict__["attrs"] is None


def pack_all() -> None:
    pack_resting_items(0)


def test_an_item_that_was_packed_is_read_as_it_was_written(
    local_stack: LocalStack, table: Table, name: str
) -> None:
    """`Item.attrs`, which every reader of an item uses."""
    table.put(name, "RUN", VALUES)
    before = table.get(name, "RUN")
    pack_all()
    (item,) = stored(local_stack, name)
    assert is_packed(item)

    assert table.get(name, "RUN") == before
    assert not is_packed(item)
    assert list(table.query(name, "RUN", "RUN~")) == [before]


def test_an_item_that_was_packed_is_changed_like_others(
    local_stack: LocalStack, table: Table, name: str
) -> None:
    """`DynamoDBBackend.update_item`, which changes the attributes of the item that it got."""
    table.put(name, "RUN", VALUES)
    for expected in (8, 9):
        pack_all()
        assert (
            table.update(name, "RUN", {"text": "new"}, add={"number": 1}, remove=["map"], nothing=None)
            is False
        )
        assert table.update(name, "RUN", {"text": "new"}, add={"number": 1}, remove=["map"], empty="")
        found = table.get(name, "RUN") or {}
        assert (found["text"], found["number"], "map" in found) == ("new", expected, False)


def test_the_items_that_were_used_last_are_not_packed(
    local_stack: LocalStack, table: Table, name: str
) -> None:
    for number in range(6):
        table.put(name, f"PART#{number}", {"number": number})
    pack_all()
    table.get(name, "PART#1")
    table.put(name, "PART#6", {"number": 6})

    pack_resting_items(4)

    unpacked = {item.range_key.value for item in stored(local_stack, name) if not is_packed(item)}  # type: ignore[union-attr]
    assert {"PART#6"} <= unpacked <= {"PART#1", "PART#6"}
    assert [item["number"] for item in table.query(name, "PART#", "PART#~")] == [*range(7)]


@pytest.fixture
def _packed_runs(table: Table, name: str) -> None:
    """Seven items of an index, and one of another partition of it, packed."""
    for number in range(7):
        table.put(f"{name}-{number}", "RUN", {"run_id": f"run_{number}", "owner": name, "text": "x"})
    table.put(f"{name}-other", "RUN", {"run_id": "run_3", "owner": f"{name}-other"})
    pack_all()


@pytest.mark.usefixtures("_packed_runs")
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("page_size", [1, 2, 3, None])
def test_a_query_of_an_index_unpacks_what_it_returns_only(
    local_stack: LocalStack, table: Table, name: str, descending: bool, page_size: int | None
) -> None:
    """`Table.query`, which asks all items for their keys."""
    found = table.query_index(
        "runs_by_owner", ("owner", name), ("run_id", "run_6"), descending=descending, page_size=page_size
    )

    in_order = [f"run_{number}" for number in range(6)]
    assert [item["run_id"] for item in found] == (in_order[::-1] if descending else in_order)
    (other,) = stored(local_stack, f"{name}-other")
    assert is_packed(other)


@pytest.mark.usefixtures("_packed_runs")
def test_a_page_of_an_index_unpacks_what_it_may_show(
    local_stack: LocalStack, table: Table, name: str
) -> None:
    page = table.query_index("runs_by_owner", ("owner", name), ("run_id", "run_6"), page_size=2)

    assert next(page)["run_id"] == "run_5"
    packed = [number for number in range(7) if is_packed(stored(local_stack, f"{name}-{number}")[0])]
    assert packed == [0, 1, 2, 6]
