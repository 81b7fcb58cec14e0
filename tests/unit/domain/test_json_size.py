import json

import pytest

from upcall.domain.json_size import json_bytes, longest_prefix


@pytest.mark.parametrize("text", ["", "abc", 'a "quoted" \\ word\n', "äöü", "😀", "\u2028\x00"])
def test_the_size_is_that_of_the_escaped_string(text: str) -> None:
    assert json_bytes(text) == len(json.dumps(text).encode())


def test_a_text_that_fits_stays_whole() -> None:
    assert longest_prefix("abc", lambda _: True, 3) == "abc"
    assert longest_prefix("abc", lambda _: True, 99) == "abc"


def test_the_prefix_is_empty_if_nothing_fits() -> None:
    assert longest_prefix("abc", lambda prefix: not prefix, 3) == ""


def test_the_prefix_has_at_most_the_given_number_of_characters() -> None:
    assert longest_prefix("abc" * 1000, lambda prefix: len(prefix) <= 5, 5) == "abcab"
    assert longest_prefix("abc", lambda _: True, -1) == ""


@pytest.mark.parametrize("max_bytes", range(2, 40))
def test_the_prefix_is_the_longest_that_fits(max_bytes: int) -> None:
    text = 'ab"ä😀c'
    prefix = longest_prefix(text, lambda part: json_bytes(part) <= max_bytes, max_bytes)

    assert json_bytes(prefix) <= max_bytes
    assert prefix == text or json_bytes(text[: len(prefix) + 1]) > max_bytes
