"""The table file: changed items are appended to it, and no command loses the runs of another."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from local.table_file import TableFile


def item(name: str, expires_in: float = 1000) -> dict[str, Any]:
    expires_at = str(int(time.time() + expires_in))
    return {"pk": {"S": name}, "sk": {"S": "RUN"}, "text": {"S": "ä😀"}, "expires_at": {"N": expires_at}}


def names(path: Path) -> set[str]:
    return {each["pk"]["S"] for each in TableFile(path).load()}


def test_items_survive_from_one_command_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "state" / "table.jsonl"
    saved = item("a")
    TableFile(path).save([saved])

    assert list(TableFile(path).load()) == [saved]


def test_two_commands_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    first, second = TableFile(path), TableFile(path)
    first.save([item("a")])
    second.save([item("b")])

    assert names(path) == {"a", "b"}


def test_expired_items_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    TableFile(path).save([item("old", expires_in=-10), item("new")])

    assert names(path) == {"new"}


def test_the_last_line_of_an_item_counts_and_the_others_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    saved, changed = item("a"), {**item("a"), "text": {"S": "changed"}}
    file = TableFile(path)

    assert file.save([saved])
    assert not file.save([])
    assert file.save([changed])
    assert len(path.read_text("utf-8").splitlines()) == 2
    assert list(TableFile(path).load()) == [changed]
    assert len(path.read_text("utf-8").splitlines()) == 1


def test_a_line_that_was_cut_off_loses_no_other(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    TableFile(path).save([item("a"), item("b")])
    path.write_bytes(path.read_bytes()[:-20])

    file = TableFile(path)
    assert {each["pk"]["S"] for each in file.load()} == {"a"}
    file.save([item("c")])
    assert names(path) == {"a", "c"}


def test_an_item_without_an_expiry_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    TableFile(path).save([{"pk": {"S": "a"}, "sk": {"S": "STOP"}}])

    assert names(path) == {"a"}


def test_a_write_that_fails_leaves_what_was_written_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.jsonl"
    file = TableFile(path)
    file.save([item("a")])
    before = path.read_bytes()

    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        file.save([item("b")])

    assert path.read_bytes().startswith(before)
    assert json.loads(before)["pk"] == {"S": "a"}
