"""E-mails as text."""

from email.message import EmailMessage

import pytest

from upcall.documents import read_document
from upcall.documents.email_message import read_email
from upcall.domain.errors import ToolError

ALL = 10**9


def make_email(plain: str = "", html: str = "", **headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "Ann <ann@example.com>", "Subject": "Tides", **headers}.items():
        message[name] = value
    if plain:
        message.set_content(plain)
    if html and plain:
        message.add_alternative(html, subtype="html")
    elif html:
        message.set_content(html, subtype="html")
    return message


def test_an_email_has_its_headers_and_its_text_and_its_subject_is_the_title() -> None:
    message = make_email(
        "The tide comes twice.\n", "<p>other</p>", To="bob@example.com", Date="Mon, 1 Jan 2024 00:00:00 +0000"
    )

    document = read_email(bytes(message), ALL)

    assert document.title == "Tides"
    assert document.text == (
        "From: Ann <ann@example.com>\nTo: bob@example.com\nDate: Mon, 01 Jan 2024 00:00:00 +0000\n"
        "Subject: Tides\n\nThe tide comes twice."
    )


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("message/rfc822", ""),
        ("", "inbox/a.eml"),
        ("text/plain", "a.EML"),
        ("application/octet-stream", "inbox/1"),
    ],
)
def test_an_email_is_found_by_its_type_its_name_or_its_first_lines(media_type: str, name: str) -> None:
    body = b"Received: from a by b;\n\tMon, 1 Jan 2024\nMessage-ID: <1@a>\n" + bytes(make_email("Words."))

    document = read_document(body, media_type, None, needed_characters=ALL, name=name)

    assert (document.title, document.text[-6:]) == ("Tides", "Words.")


def test_a_text_that_only_begins_like_an_email_is_a_text() -> None:
    body = b"Note: this is one.\nFrom: nobody\n\nReceived: nothing"

    assert read_document(body, "", None, needed_characters=ALL).text == body.decode()


def test_without_a_plain_text_the_html_is_read() -> None:
    document = read_email(
        bytes(
            make_email(
                html="<html><body><p>Read <a href='https://example.com/'>the page</a> now</p></body></html>"
            )
        ),
        ALL,
    )

    assert document.text.endswith("Subject: Tides\n\nRead the page now")
    assert [link.url for link in document.links] == ["https://example.com/"]


def test_attachments_are_named() -> None:
    message = make_email("See the files.")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="Bericht März.pdf")
    message.add_attachment("a,b", subtype="csv", filename="b.csv")

    assert read_email(bytes(message), ALL).text.endswith(
        "See the files.\n\n[attachments: Bericht März.pdf, b.csv]"
    )


@pytest.mark.parametrize("codec", ["utf-8", "cp1252", "iso-8859-2"])
def test_headers_and_text_are_decoded(codec: str) -> None:
    message = make_email(Subject="Grüße aus Köln")
    message.set_content("Schöne Grüße.", charset=codec)

    document = read_email(bytes(message), ALL)

    assert document.title == "Grüße aus Köln"
    assert document.text.endswith("Schöne Grüße.")


def test_headers_with_raw_bytes_are_decoded() -> None:
    assert read_email("Subject: Grüße aus Köln\n\nx".encode(), ALL).title == "Grüße aus Köln"


@pytest.mark.parametrize(
    "headers",
    ["Content-Type: text/plain; charset=klingon", "Content-Type: text/plain; charset*=x''%00", "Content-Type: ;;;",
     "Content-Transfer-Encoding: nonsense", "Subject: =?klingon?q?x?=", "Subject: =?utf-8?b?!!!?=", "To: " + "a@b, " * 9999],
)  # fmt: skip
def test_malformed_headers_do_not_hide_the_text(headers: str) -> None:
    assert read_email(f"{headers}\nFrom: a@example.com\n\nWords.\n".encode(), ALL).text.endswith("\n\nWords.")


def test_parts_of_parts_are_read_unless_there_are_too_many() -> None:
    def nested(depth: int) -> bytes:
        parts = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
        return f"From: a@example.com\n{parts}\nWords.".encode()

    assert read_email(nested(100), ALL).text.endswith("Words.")
    with pytest.raises(ToolError, match="more than 100 parts that contain parts"):
        read_email(nested(101), ALL)
