"""Word and Excel files and e-mails written by hand, so that tests can break them."""

import io
import zipfile
from collections.abc import Mapping, Sequence

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_EXCEL = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_HIDDEN = ' state="hidden"'
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def make_zip(members: Mapping[str, str | bytes]) -> bytes:
    """A zip archive with these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def make_docx(content: str, title: str = "", doctype: str = "", **parts: str) -> bytes:
    """A Word file. `content` is WordprocessingML, and so is that of `parts`, such as `footnotes`."""
    members = {
        "_rels/.rels": f'{_XML}<Relationships xmlns="{_RELATIONSHIPS}"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'{_XML}{doctype}<w:document xmlns:w="{_WORD}" xmlns:mc="urn:mc"><w:body>{content}'
        "</w:body></w:document>",
    }
    for name, part in parts.items():
        members[f"word/{name}.xml"] = f'{_XML}<w:{name} xmlns:w="{_WORD}">{part}</w:{name}>'
    if title:
        members["docProps/core.xml"] = (
            f'{_XML}<p xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></p>'
        )
    return make_zip(members)


def paragraph(text: str) -> str:
    """A paragraph of a Word file."""
    return f'<w:p><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def make_xlsx(sheets: Mapping[str, str], strings: Sequence[str] = (), hidden: Sequence[str] = ()) -> bytes:
    """An Excel file. Each sheet's content is rows of SpreadsheetML."""
    names = list(sheets)
    entries = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"{_HIDDEN if name in hidden else ""}/>'
        for n, name in enumerate(names, start=1)
    )
    relationships = "".join(
        f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(names) + 1)
    )
    items = "".join(f"<si><t>{each}</t></si>" for each in strings)
    return make_zip(
        {
            "[Content_Types].xml": f'{_XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "_rels/.rels": f'{_XML}<Relationships xmlns="{_RELATIONSHIPS}"><Relationship Id="r1" '
            f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'{_XML}<workbook xmlns="{_EXCEL}" xmlns:r="{_OFFICE}"><sheets>{entries}</sheets>'
            "</workbook>",
            "xl/_rels/workbook.xml.rels": f'{_XML}<Relationships xmlns="{_RELATIONSHIPS}">{relationships}'
            f'<Relationship Id="s" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
            "xl/sharedStrings.xml": f'{_XML}<sst xmlns="{_EXCEL}">{items}</sst>',
            **{
                f"xl/worksheets/sheet{n}.xml": f'{_XML}<worksheet xmlns="{_EXCEL}"><sheetData>{rows}</sheetData>'
                "</worksheet>"
                for n, rows in enumerate(sheets.values(), start=1)
            },
        }
    )


def row(number: int, *values: str | float) -> str:
    """A row of an Excel file, with strings inside of the cells."""
    cells = "".join(
        f'<c r="{chr(65 + n)}{number}" t="inlineStr"><is><t>{value}</t></is></c>'
        if isinstance(value, str)
        else f'<c r="{chr(65 + n)}{number}"><v>{value}</v></c>'
        for n, value in enumerate(values)
        if value != ""
    )
    return f'<row r="{number}">{cells}</row>'
