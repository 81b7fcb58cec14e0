"""The text of Excel files."""

import pytest
from support.office_files import make_xlsx, make_zip, row

from upcall.documents import read_document
from upcall.documents.spreadsheet import read_spreadsheet
from upcall.domain.errors import ToolError

ALL = 10**9


def test_rows_are_lines_of_csv_whatever_the_media_type_is() -> None:
    body = make_xlsx({"Data": row(1, "name", "sum") + row(2, "a, b", 1.5) + row(4, "", 2.0)})

    for media_type in ("", "application/vnd.ms-excel", "text/csv", "application/octet-stream"):
        assert read_document(body, media_type, None, needed_characters=ALL).text == (
            'name,sum\n"a, b",1.5\n,2'
        )


def test_numbers_have_no_more_digits_than_excel_has() -> None:
    values = row(1, 0.30000000000000004, 5.0, 1e21, 123456789012)

    assert read_spreadsheet(make_xlsx({"S": values}), ALL).text == "0.3,5,1e+21,123456789012"


def test_strings_may_be_shared() -> None:
    cells = '<row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1" t="b"><v>1</v></c></row>'

    assert read_spreadsheet(make_xlsx({"S": cells}, strings=["no", "yes"]), ALL).text == "yes,TRUE"


def test_several_sheets_have_their_names_and_hidden_ones_are_left_out() -> None:
    body = make_xlsx({"One": row(1, "a"), "Two": row(1, "b"), "Three": row(1, "c")}, hidden=["Two"])

    assert read_spreadsheet(body, ALL).text == "[sheet: One]\na\n\n[sheet: Three]\nc"


def test_no_more_is_read_than_needed() -> None:
    body = make_xlsx({"S": "".join(row(n, "some words") for n in range(1, 5000))})

    assert 1000 < len(read_spreadsheet(body, 1000).text) < 1100


def test_a_workbook_without_values_is_an_error() -> None:
    with pytest.raises(ToolError, match="contains no values"):
        read_spreadsheet(make_xlsx({"S": ""}), ALL)


@pytest.mark.parametrize(
    "body",
    [
        make_zip({"xl/workbook.xml": "<workbook"}),
        make_zip({"xl/other.xml": "<x/>"}),
        make_xlsx({"S": "<row"}),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    ],
)
def test_a_damaged_spreadsheet_and_an_old_office_file_are_errors(body: bytes) -> None:
    with pytest.raises(ToolError, match="the file is damaged, or of an old format|contains no values"):
        read_document(body, "", None, needed_characters=ALL)


def test_a_workbook_that_expands_to_a_quarter_of_a_gigabyte_is_an_error() -> None:
    with pytest.raises(ToolError, match="expands to more than 250,000,000 bytes"):
        read_spreadsheet(make_zip({"xl/workbook.xml": b" " * 250_000_001}), ALL)
