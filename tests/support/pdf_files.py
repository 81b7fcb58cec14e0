"""PDF files written by hand, so that tests can break them."""

import io
import zlib
from collections.abc import Iterable

from pypdf import PdfReader, PdfWriter


def make_pdf(contents: Iterable[bytes], title: str | None = None, compressed: bool = False) -> bytes:
    """A PDF with one page for each content stream."""
    streams = [zlib.compress(content) if compressed else content for content in contents]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    stream_filter = "/Filter /FlateDecode " if compressed else ""
    for n, stream in enumerate(streams):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            + f"/Contents {5 + 2 * n} 0 R >>".encode(),
            f"<< {stream_filter}/Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream",
        ]
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + content + b"\nendobj\n")
    xref_offset = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.writelines(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n".encode())
    out.write(f"startxref\n{xref_offset}\n%%EOF\n".encode())
    if title is None:
        return out.getvalue()
    writer = PdfWriter(PdfReader(io.BytesIO(out.getvalue())))
    writer.add_metadata({"/Title": title})
    return to_bytes(writer)


def to_bytes(writer: PdfWriter) -> bytes:
    """The file that a writer makes."""
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def show_text(text: str) -> bytes:
    """A content stream that shows a line of text."""
    return f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()


THREE_PAGES = make_pdf([show_text("One."), show_text("Two."), show_text("Three.")], title="A report")
