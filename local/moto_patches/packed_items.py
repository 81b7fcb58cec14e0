"""A patch that keeps items of tables as JSON while nothing uses them. Fits moto 5.2.5.

moto makes several objects of each attribute: 19 KB of a run of one turn, whose items have 2.8 KB of JSON.
"""

import json
import weakref
from collections import deque
from collections.abc import Collection
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

UNPACKED_ITEMS = 2000
"""Made or used last. Those of runs that are under way are among them."""

_unpacked: "deque[weakref.ref[Item]]" = deque()
"""From the one that was made or unpacked first on. Copies that are gone are among them."""
_key_attributes: Collection[str] = ()


def pack_items(key_attributes: Collection[str]) -> None:
    """Let `pack_resting_items` pack items. Whoever uses the attributes of one gets them as before.

    `key_attributes` are the names of the keys of tables and indexes, which are not packed: queries of an
    index read them of all items.
    """
    global _key_attributes  # a process has one moto
    _key_attributes = key_attributes
    Item.attrs = property(_get_attributes, _set_attributes)  # type: ignore[assignment]


def pack_resting_items(unpacked: int = UNPACKED_ITEMS) -> None:
    """Pack items until only so many are unpacked.

    Between two requests only: what changes an item in a request changes the attributes that it got.
    """
    while len(_unpacked) > unpacked:
        item = _unpacked.popleft()()
        if item is not None:
            _pack(item)


def key_of(item: Item, name: str) -> DynamoType | None:
    """A key attribute of an item, without unpacking it; None if it has none of that name."""
    attributes = item.__dict__["attrs"]
    key: DynamoType | None = (item.__dict__["keys"] if attributes is None else attributes).get(name)
    return key


def _pack(item: Item) -> None:
    attributes = item.attrs
    packed = json.dumps(item.to_json()["Attributes"]).encode()
    keys = {name: attributes[name] for name in _key_attributes if name in attributes}
    item.__dict__.update(attrs=None, keys=keys, packed=packed)


def _get_attributes(item: Item) -> dict[str, Any]:
    if item.__dict__["attrs"] is None:
        attributes = LimitedSizeDict()
        for name, value in json.loads(item.__dict__["packed"]).items():
            dict.__setitem__(attributes, name, DynamoType(value))  # its size was checked when it was written
        _set_attributes(item, attributes)
        del item.__dict__["keys"], item.__dict__["packed"]
    found: dict[str, Any] = item.__dict__["attrs"]
    return found


def _set_attributes(item: Item, attributes: dict[str, Any]) -> None:
    item.__dict__["attrs"] = attributes
    _unpacked.append(weakref.ref(item))
