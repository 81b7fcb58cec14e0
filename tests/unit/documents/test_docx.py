"""Title and text of Word files."""

import pytest
from support.office_files import make_docx, make_zip, paragraph

from upcall.documents import read_document
from upcall.documents.docx import read_docx
from upcall.domain.errors import ToolError

ALL = 10**9


def text_of(content: str, **parts: str) -> str:
    return read_docx(make_docx(content, **parts), ALL).text


def test_a_word_file_is_read_whatever_its_media_type_is() -> None:
    body = make_docx(paragraph("One.") + paragraph("Two &amp; three."), title="A  report")

    for media_type in ("", "application/zip", "text/plain", "application/msword"):
        document = read_document(body, media_type, None, needed_characters=ALL)
        assert (document.title, document.text) == ("A report", "One.\nTwo & three.")


def test_runs_are_joined_and_tabs_and_line_breaks_are_kept() -> None:
    run = "<w:r><w:t>{}</w:t></w:r>"
    content = (
        f"<w:p>{run.format('re')}{run.format('port')}<w:r><w:tab/><w:t>a</w:t><w:br/><w:t>b</w:t></w:r></w:p>"
    )

    assert text_of(content) == "report\ta\nb"


def test_a_table_has_a_line_for_each_row() -> None:
    def table(*rows: str) -> str:
        return f"<w:tbl>{''.join(rows)}</w:tbl>"

    def table_row(*cells: str) -> str:
        return f"<w:tr>{''.join(f'<w:tc>{cell}</w:tc>' for cell in cells)}</w:tr>"

    inner = table(table_row(paragraph("x"), paragraph("y")))
    content = table(
        table_row(paragraph("a"), paragraph("b 1") + paragraph("b 2")), table_row(inner, paragraph(""))
    )

    assert text_of(paragraph("Before.") + content + paragraph("After.")) == (
        "Before.\n| a | b 1 b 2 |\n| | x | y | |  |\nAfter."
    )


def test_list_items_have_a_mark() -> None:
    item = "<w:p><w:pPr><w:numPr><w:numId w:val='1'/></w:numPr></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>"

    assert text_of(item.format("one") + item.format("two")) == "- one\n- two"


def test_the_text_is_as_if_all_changes_were_accepted() -> None:
    content = (
        "<w:p><w:ins><w:r><w:t>new </w:t></w:r></w:ins><w:del><w:r><w:delText>old </w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved </w:t></w:r></w:moveFrom><w:sdt><w:sdtContent><w:r><w:t>field</w:t></w:r>"
        "</w:sdtContent></w:sdt></w:p>"
    )

    assert text_of(content) == "new field"


def test_a_text_box_is_read_once() -> None:
    box = paragraph("Boxed.")
    content = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"

    assert text_of(content) == "Boxed."


def test_footnotes_follow_the_text() -> None:
    assert text_of(paragraph("Text."), footnotes=paragraph("A note.")) == "Text.\nA note."


def test_no_more_is_read_than_needed() -> None:
    body = make_docx(paragraph("A paragraph of a long report.") * 100_000)

    assert 1000 < len(read_docx(body, 1000).text) < 1100


def test_entities_that_expand_to_gigabytes_are_an_error() -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(8))
    doctype = f'<!DOCTYPE w:document [<!ENTITY e0 "x">{entities}]>'

    with pytest.raises(ToolError, match="damaged"):
        read_docx(make_docx(paragraph("a&e8;b"), doctype=doctype), ALL)


@pytest.mark.parametrize(
    "body",
    [
        make_docx("<w:p"),
        make_docx(paragraph("One.")).replace(b"word/document.xml", b"word/doc_ment.xml"),
        make_zip({"word/other.xml": "<x/>"}),
        make_docx(paragraph("One. " * 1000))[:-30],
    ],
)
def test_a_damaged_word_file_is_an_error(body: bytes) -> None:
    with pytest.raises(ToolError, match="damaged"):
        read_document(body, "", None, needed_characters=ALL)


def test_a_part_that_expands_to_more_than_a_hundred_megabytes_is_an_error() -> None:
    with pytest.raises(ToolError, match=r"word/document.xml in the file is larger than 100,000,000 bytes"):
        read_docx(make_docx(" " * 100_000_001), ALL)
