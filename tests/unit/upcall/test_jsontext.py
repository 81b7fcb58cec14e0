import json

import pytest

from upcall.domain.json_size import json_bytes, longest_prefix


@pytest.mark.parametrize("text", ["", "abc", 'a "quoted" \\ word\n', "äöü", "😀", "\u2028\x00"])
def test_the_size_is_that_of_the_escaped_string(text: str) -> None:
    assert json_bytes(text) == len(json.dumps(text).encode())


def test_a_text_that_fits_stays_whole() -> None:
    assert longest_prefix("abc", lambda _: True, 3) == "abc"
    assert longest_prefix("abc", lambda _: True, 99) == "abc"


def test_nothing_is_left_where_nothing_fits() -> None:
    assert longest_prefix("abc", lambda start: not start, 3) == ""


def test_no_more_is_looked_at_than_is_asked_for() -> None:
    assert longest_prefix("abc" * 1000, lambda start: len(start) <= 5, 5) == "abcab"
    assert longest_prefix("abc", lambda _: True, -1) == ""


@pytest.mark.parametrize("room", range(2, 40))
def test_as_much_as_fits_and_not_one_character_more(room: int) -> None:
    text = 'ab"ä😀c'
    start = longest_prefix(text, lambda part: json_bytes(part) <= room, room)

    assert json_bytes(start) <= room
    assert start == text or json_bytes(text[: len(start) + 1]) > room
