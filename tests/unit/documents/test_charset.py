"""Bytes become the text that was encoded, whether its charset is declared, wrong or missing."""

import pytest

from upcall.documents.charset import decode_text

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
def test_the_declared_charset_is_used(text: str, codec: str, label: str) -> None:
    assert decode_text(text.encode(codec), label) == text


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_overrides_the_declared_charset_and_is_removed(codec: str) -> None:
    assert decode_text(GERMAN.encode(codec), "iso-8859-1") == GERMAN


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        ('<meta charset="windows-1251">', "cp1251"),
        ("<meta charset=koi8-r>", "koi8-r"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', "cp1251"),
        ('<?xml version="1.0" encoding="windows-1251"?>', "cp1251"),
    ],
)
def test_without_a_declared_charset_the_documents_own_declaration_is_used(head: str, codec: str) -> None:
    assert decode_text((head + RUSSIAN).encode(codec), None).endswith(RUSSIAN)


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1251", "shift_jis", "us-ascii", "klingon", None])
def test_utf_8_is_decoded_as_utf_8_whatever_is_declared(label: str | None) -> None:
    assert decode_text(GERMAN.encode(), label) == GERMAN


def test_a_text_wrongly_declared_as_utf_8_is_guessed() -> None:
    assert decode_text(GERMAN.encode("cp1252"), "utf-8") == GERMAN


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
def test_an_undeclared_charset_is_guessed(text: str, codec: str, before: str, label: str | None) -> None:
    """A text wrongly declared as UTF-8 is treated the same: many servers declare UTF-8 for everything."""
    assert decode_text((before + text).encode(codec), label) == before + text


def test_few_characters_beyond_ascii_survive_an_invalid_byte() -> None:
    body = "Much English and “two marks” in it. ".encode() + b"\xff"

    assert decode_text(body, "utf-8") == "Much English and “two marks” in it. \ufffd"


def test_one_invalid_byte_does_not_change_the_rest_of_the_text() -> None:
    body = GERMAN.encode() + b"\xff" + GERMAN.encode()

    assert decode_text(body, None) == f"{GERMAN}\ufffd{GERMAN}"


@pytest.mark.parametrize(
    "label", ["utf-7", "replacement", "x-user-defined", "hz-gb-2312", "\x00", "x" * 9999]
)
def test_unsafe_and_invalid_labels_are_ignored(label: str) -> None:
    assert decode_text(GERMAN.encode(), label) == GERMAN
