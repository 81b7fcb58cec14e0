"""Bytes become the characters that their author wrote, whatever is said of them."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcall.documents.charset import characters

GERMAN = "Grüße aus Köln: Straßen, Brücken und schöne Bäche. " * 10
RUSSIAN = "Прилив приходит дважды в день, и это не случайно. " * 10
JAPANESE = "潮は一日に二回満ちる。これは偶然ではない。" * 10
KOREAN = "밀물은 하루에 두 번 들어온다. 이것은 우연이 아니다. " * 10
CHINESE = "潮水每天涨两次，这不是偶然。" * 10


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "cp1252", "iso-8859-1"),
        (GERMAN, "cp1252", "latin1"),
        ("“quoted” – €5", "cp1252", "iso-8859-1"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (JAPANESE, "cp932", "shift_jis"),
        (JAPANESE, "euc-jp", "euc-jp"),
        (JAPANESE, "iso2022_jp", "iso-2022-jp"),
        (KOREAN, "cp949", "euc-kr"),
        (CHINESE, "gb18030", "gb2312"),
        ("潮水每天漲兩次，這不是偶然。" * 10, "big5", "big5"),
        (GERMAN, "utf-16-le", "utf-16le"),
        (GERMAN, "utf-16-be", "utf-16be"),
    ],
)
def test_a_text_is_read_by_what_its_sender_calls_it(text: str, codec: str, label: str) -> None:
    assert characters(text.encode(codec), label) == text


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_decides_and_is_no_text(codec: str) -> None:
    assert characters(GERMAN.encode(codec), "iso-8859-1") == GERMAN


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        ('<meta charset="windows-1251">', "cp1251"),
        ("<meta charset=koi8-r>", "koi8-r"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', "cp1251"),
        ('<?xml version="1.0" encoding="windows-1251"?>', "cp1251"),
    ],
)
def test_where_the_sender_says_nothing_the_document_does(head: str, codec: str) -> None:
    assert characters((head + RUSSIAN).encode(codec), None).endswith(RUSSIAN)


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1251", "shift_jis", "us-ascii", "klingon", None])
def test_utf_8_is_read_as_utf_8_whatever_it_is_called(label: str | None) -> None:
    assert characters(GERMAN.encode(), label) == GERMAN


def test_what_is_wrongly_called_utf_8_is_guessed() -> None:
    assert characters(GERMAN.encode("cp1252"), "utf-8") == GERMAN


@pytest.mark.parametrize("label", [None, "utf-8"])
@pytest.mark.parametrize(
    "before", ["", "<p>plain English and its tags</p>\n" * 5000], ids=["", "after much English"]
)
@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (GERMAN, "cp1252"),
        ("L’été dernier, nous étions à la plage où ça sentait déjà l’automne.", "cp1252"),
        ("Zażółć gęślą jaźń, powiedział chłopiec do dziewczyny.", "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc-jp"),
        (JAPANESE, "iso2022_jp"),
        (KOREAN, "cp949"),
        (CHINESE, "gb18030"),
        ("這是一個中文的文本，用於測試編碼的推測。", "big5"),
        ("Plain English in two bytes each. ", "utf-16-le"),
        ("Plain English in two bytes each. ", "utf-16-be"),
    ],
)
def test_a_text_that_nothing_is_said_of_is_recognized(
    text: str, codec: str, before: str, label: str | None
) -> None:
    """What is called UTF-8 and is not is in the same case: that is what servers say without looking."""
    assert characters((before + text).encode(codec), label) == before + text


def test_two_quotation_marks_stay_what_they_are_beside_a_broken_byte() -> None:
    body = "Much English and “two marks” in it. ".encode() + b"\xff"

    assert characters(body, "utf-8") == "Much English and “two marks” in it. \ufffd"


def test_one_broken_byte_does_not_spoil_the_page() -> None:
    body = GERMAN.encode() + b"\xff" + GERMAN.encode()

    assert characters(body, None) == f"{GERMAN}\ufffd{GERMAN}"


@pytest.mark.parametrize(
    "label", ["utf-7", "replacement", "x-user-defined", "hz-gb-2312", "\x00", "x" * 9999]
)
def test_labels_that_are_traps_do_no_harm(label: str) -> None:
    assert characters(GERMAN.encode(), label) == GERMAN


@settings(max_examples=150, deadline=None)
@given(
    st.binary(min_size=1, max_size=2000),
    st.sampled_from([None, "utf-8", "shift_jis", "utf-16", "gbk", "latin1", "euc-kr"]),
)
def test_whatever_bytes_come_the_text_can_be_written(body: bytes, label: str | None) -> None:
    text = characters(body, label)

    assert text.encode().decode() == text


@pytest.mark.parametrize("piece", [bytes(range(256)), GERMAN.encode("cp1252"), b"\x80", b"\xff\x00"])
def test_ten_megabytes_are_read_in_seconds(piece: bytes) -> None:
    start = time.monotonic()
    characters((piece * (10_000_000 // len(piece) + 1))[:10_000_000], None)

    assert time.monotonic() - start < 10
