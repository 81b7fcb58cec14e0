"""Generates documents that are made to use up time or memory, from a seed: the same seed gives the same document.

Each shape is a family with parameters that are drawn: how many, how deep, how long. A document is often mutated,
wrapped in gzip, or sent under another media type.
"""

import base64
import gzip
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from support.office_files import make_docx, make_xlsx, make_zip, paragraph
from support.pdf_files import make_pdf, show_text

MAX_BYTES = 10_000_000
"""Of a document: more is not downloaded."""


@dataclass(frozen=True)
class HostileDocument:
    """A document with what it was made of, for messages."""

    description: str
    body: bytes
    media_type: str = ""
    name: str = ""


def hostile_document(seed: int) -> HostileDocument:
    """The document of that seed."""
    r = random.Random(seed)
    family = r.choices(list(FAMILIES), weights=[weight for _, weight in FAMILIES.values()])[0]
    document = FAMILIES[family][0](r)
    body, notes = document.body[:MAX_BYTES], [f"seed {seed}", family, document.description]
    if r.random() < 0.15:
        body = _mutate(r, body)
        notes.append("mutated")
    if r.random() < 0.08:
        body = gzip.compress(body, 1)
        notes.append("gzip")
    media_type = document.media_type
    if r.random() < 0.1:
        media_type = r.choice(["", "text/plain", "text/html", "application/octet-stream", "image/png"])
        notes.append(media_type)
    return HostileDocument(", ".join(notes), body, media_type, document.name)


def _mutate(r: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(r.randint(1, 40)):
        if changed:
            changed[r.randrange(len(changed))] = r.randrange(256)
    if r.random() < 0.3 and len(changed) > 10:
        start = r.randrange(len(changed))
        changed[start : start + r.randint(1, 1000)] = changed[: r.randint(1, 1000)]
    return bytes(changed)


def _magnitude(r: random.Random, largest: int) -> int:
    """A number between 1 and the largest; each order of magnitude is equally likely."""
    return int(largest ** r.random())


TAGS = (
    *(
        "p",
        "div",
        "b",
        "i",
        "a",
        "li",
        "ul",
        "ol",
        "td",
        "tr",
        "table",
        "th",
        "tbody",
        "span",
        "pre",
        "code",
        "h1",
    ),
    *("h2", "blockquote", "article", "main", "section", "nav", "footer", "header", "aside", "form", "select"),
    *(
        "option",
        "textarea",
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "math",
        "iframe",
        "img",
        "br",
        "hr",
    ),
    *(
        "dl",
        "dt",
        "dd",
        "figure",
        "figcaption",
        "details",
        "summary",
        "head",
        "body",
        "html",
        "title",
        "meta",
    ),
    *(
        "link",
        "base",
        "frameset",
        "frame",
        "center",
        "font",
        "u",
        "s",
        "del",
        "ins",
        "sup",
        "sub",
        "q",
        "cite",
    ),
    *(
        "label",
        "button",
        "input",
        "fieldset",
        "x-y",
        "o:p",
        "graphic",
        "lb",
        "hi",
        "ref",
        "row",
        "cell",
        "list",
    ),
)
CLASSES = (
    *(
        "comment",
        "comments",
        "content",
        "article-body",
        "post",
        "entry-content",
        "sidebar",
        "footer",
        "nav",
        "related",
    ),
    *(
        "share",
        "ad",
        "teaser",
        "text",
        "story",
        "main",
        "meta",
        "author",
        "date",
        "breadcrumb",
        "cookie",
        "hidden",
    ),
)
TEXTS = (
    *(
        "x",
        "word ",
        "A sentence of an article, with a comma. ",
        "\x00",
        "&amp;",
        "&#256;",
        "&#0;",
        "é",
        "潮",
        "😀",
        "\n",
    ),
    *(
        "\t",
        " ",
        "\xa0",
        "<",
        "&",
        "2024-01-02 ",
        "https://example.com/a?b=c ",
        "user@example.com ",
        "|",
        "- ",
        "]]>",
    ),
    *(
        "\u200b",
        "\u202e",
        "ﷺ",
        "a\u0301\u0301\u0301",
        "Copyright © 2024 ",
        "Published on January 2, 2024 ",
        "0" * 50,
    ),
)


def _attributes(r: random.Random) -> str:
    names = r.choices(
        [
            f'class="{r.choice(CLASSES)}"',
            f'id="{r.choice(CLASSES)}"',
            "colspan=99999",
            "rowspan=9",
            f'href="/{r.randrange(10**6)}"',
            "href=x",
            'style="display:none"',
            'src="data:x"',
            'rel="author"',
            'itemprop="articleBody"',
            'role="main"',
            'lang="xx"',
            'type="application/ld+json"',
            'property="og:title" content="t"',
            'data-x="' + "y" * _magnitude(r, 1000) + '"',
        ],
        k=r.randint(1, 3),
    )
    return " " + " ".join(names)


def _tag(r: random.Random) -> str:
    return f"<{r.choice(TAGS)}{_attributes(r) if r.random() < 0.5 else ''}>"


def _unit(r: random.Random) -> str:
    """A piece of HTML that is repeated."""
    parts = []
    for _ in range(r.randint(1, 6)):
        tag = _tag(r)
        parts.append(tag)
        parts.append(r.choice(TEXTS) * _magnitude(r, 300))
        if r.random() < 0.6:
            parts.append(f"</{tag[1:-1].split(' ')[0]}>")
    r.shuffle(parts) if r.random() < 0.1 else None
    return "".join(parts)


def _repeated_html(r: random.Random) -> HostileDocument:
    """One to three units, each repeated so that the page may have any number of tags and characters."""
    parts = ["<!doctype html><html><body>"] if r.random() < 0.8 else []
    notes = []
    for _ in range(r.randint(1, 3)):
        unit = _unit(r)
        budget = _magnitude(r, 3_000_000) if r.random() < 0.8 else MAX_BYTES
        times = max(1, min(budget // len(unit), _magnitude(r, 50_000) if r.random() < 0.5 else 50_000))
        parts.append(unit * times)
        notes.append(f"{unit[:120]!r} * {times}")
    return HostileDocument(" + ".join(notes), "".join(parts).encode("utf-8", "replace"), "text/html")


def _nested_html(r: random.Random) -> HostileDocument:
    """Elements in each other, closed or not, with text at every level."""
    opening, text = "".join(_tag(r) for _ in range(r.randint(1, 3))), r.choice(TEXTS) * _magnitude(r, 50)
    depth = _magnitude(r, min(200_000, MAX_BYTES // (len(opening) + len(text))))
    closing = "</div></p></td></table>" * (depth if r.random() < 0.3 else 0)
    page = f"<html><body>{(opening + text) * depth}{closing}"
    return HostileDocument(f"{opening + text!r} nested {depth}", page.encode("utf-8", "replace"), "text/html")


def _random_html(r: random.Random) -> HostileDocument:
    """Tags and texts in any order."""
    pool = [_tag(r) for _ in range(30)] + [f"</{each}>" for each in TAGS] + list(TEXTS)
    count = _magnitude(r, 100_000)
    return HostileDocument(
        f"{count} pieces", "".join(r.choices(pool, k=count)).encode("utf-8", "replace"), "text/html"
    )


def _attribute_html(r: random.Random) -> HostileDocument:
    """Many attributes, long attributes, many tags with many attributes."""
    attributes, tags = _magnitude(r, 200_000), _magnitude(r, 2000)
    attributes = min(attributes, MAX_BYTES // (8 * tags))
    value = r.choice(["1", "x" * 20, "display:none"])
    tag = f"<{r.choice(TAGS)} " + " ".join(f"a{n}={value}" for n in range(attributes)) + ">x"
    return HostileDocument(f"{tags} tags of {attributes} attributes", (tag * tags).encode(), "text/html")


def _long_piece_html(r: random.Random) -> HostileDocument:
    """One long piece: a text, a comment, a script, a title, a link, a date, an unclosed tag."""
    length = _magnitude(r, MAX_BYTES) if r.random() < 0.5 else MAX_BYTES
    text = r.choice(TEXTS)
    filling = text * (length // len(text.encode()) + 1)
    template = r.choice(
        [
            *(
                "<p>{}",
                "<!--{}",
                "<script>{}</script><p>x",
                "<title>{}</title><p>x",
                "<a href='{}'>x</a>",
                "<a href=x>{}</a>",
            ),
            *(
                "<{}",
                "<p {}",
                "<p class='{}'>x",
                "<![CDATA[{}]]>",
                "<?{}?>",
                "<!doctype {}>",
                "<pre>{}</pre>",
            ),
            *(
                '<script type=\'application/ld+json\'>{{"@type":"{}"}}</script><p>x',
                "<meta property='og:title' content='{}'>",
            ),
            *(
                "<h1>{}</h1><p>x",
                "<time datetime='{}'>x</time>",
                "<td colspan='{}'>x",
                "<textarea>{}",
                "&{};",
                "{}",
            ),
        ]
    )
    body = template.format(filling).encode("utf-8", "replace")
    return HostileDocument(f"{template} of {length} * {text!r}", body, "text/html")


def _json_ld_html(r: random.Random) -> HostileDocument:
    unit = r.choice(
        ['"@type":[', '{"@type":"Article","author":', '"@type":"Person","name":"x",', "{", "[", '"@graph":[']
    )
    times = _magnitude(r, MAX_BYTES // len(unit))
    page = f'<script type="application/ld+json">{unit * times}</script><p>{"words " * 50}</p>'
    return HostileDocument(f"{unit!r} * {times}", page.encode(), "text/html")


def _pdf(r: random.Random) -> HostileDocument:
    """Operations, strings, arrays, missing objects and nested page trees, compressed or not."""
    operation = r.choice(
        [
            *(
                b"BT /F1 9 Tf (x) Tj ET\n",
                b"(x) Tj ",
                b"[(x) 5 (y)] TJ ",
                b"[",
                b"<<",
                b"q ",
                b"0 ",
                b"/F1 1 Tf ",
                b"(",
                b"%",
            ),
            *(
                b"1 0 0 1 0 0 cm ",
                b"BI /W 9999 /H 9999 ID x EI ",
                b"/X Do ",
                b"<41>",
                b"(\\)\\(",
                b"0 0 m 9 9 l S ",
                b"T* ",
            ),
        ]
    )
    times, pages = _magnitude(r, 3_000_000), _magnitude(r, 300)
    stream = operation * min(times, 200_000_000 // len(operation))
    body = make_pdf(
        [stream] + [show_text("Words of a page.") for _ in range(pages)], compressed=r.random() < 0.8
    )
    note = f"{operation!r} * {times}, {pages} pages"
    if r.random() < 0.3:
        missing = b" ".join(b"%d 0 R" % n for n in range(10_000, 10_000 + _magnitude(r, 20_000)))
        body = body.replace(b"/Kids [", b"/Kids [" + missing + b" ", 1)
        note += ", missing objects"
    if r.random() < 0.3:
        cycle = r.choice([b"/Kids [2 0 R ", b"/Kids [4 0 R 4 0 R 2 0 R "])
        body = body.replace(b"/Kids [", cycle, 1)
        note += ", cycle"
    if r.random() < 0.2:
        body = body.replace(b"/Type /Font", b"/Type /Font /ToUnicode 5 0 R", 1)
        note += ", font map"
    if r.random() < 0.2:
        filters = r.choice(
            [b"/Filter [/FlateDecode /FlateDecode] ", b"/Filter /LZWDecode ", b"/Filter /RunLengthDecode "]
        )
        body = body.replace(b"/Filter /FlateDecode ", filters, 1)
        note += f", {filters!r}"
    return HostileDocument(note, body, "application/pdf")


def _font_pdf(r: random.Random) -> HostileDocument:
    """Fonts whose maps of characters are large in memory."""
    ranges = _magnitude(r, 100)
    table = b"begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange " + (
        b"1 beginbfrange <0000> <ffff> <0000> endbfrange " * ranges + b"endcmap"
    )
    font = b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /ToUnicode 7 0 R >>"
    count = _magnitude(r, 2000)
    fonts = b" ".join(b"/F%d %s" % (n, font) for n in range(2, count + 2))
    body = make_pdf([show_text("One."), table]).replace(b"/F1 3 0 R", b"/F1 3 0 R " + fonts)
    return HostileDocument(f"{count} fonts, {ranges} ranges", body, "application/pdf")


def _docx(r: random.Random) -> HostileDocument:
    unit = r.choice(
        [
            paragraph("words of a report "),
            "<w:tbl><w:tr><w:tc>",
            "<w:tbl><w:tr><w:tc>" + paragraph("x") + "</w:tc></w:tr></w:tbl>",
            "<w:p>",
            "<w:r><w:tab/></w:r>",
            "<w:tr/>",
            "<w:tc/>",
            "<mc:Fallback>",
            "<w:t>x</w:t>",
            "<w:p " + " ".join(f'a{n}="1"' for n in range(_magnitude(r, 5000))) + "/>",
            "\n",
            "<!-- x -->",
        ]
    )
    times = _magnitude(r, 90_000_000 // len(unit))
    doctype = r.choice(
        ["", "", '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>']
    )
    tail = "<w:t>&b;</w:t>" * _magnitude(r, 100_000) if doctype else ""
    closing = "</w:tc></w:tr></w:tbl>" * times if unit.endswith("<w:tc>") and r.random() < 0.5 else ""
    body = make_docx(unit * times + closing + tail, doctype=doctype)
    return HostileDocument(f"{unit[:60]!r} * {times} {doctype[:9]}", body, name="inbox/x.docx")


def _xlsx(r: random.Random) -> HostileDocument:
    kind = r.choice(["cells", "distant", "strings", "sheets", "long", "nested", "columns"])
    count = _magnitude(r, 1_000_000)
    strings: list[str] = []
    sheets = {"S": ""}
    if kind == "cells":
        sheets["S"] = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(1, count + 1))
    elif kind == "distant":
        last, column = r.choice([1_048_576, 100_000, 2**31]), r.choice(["A", "Z", "XFD", "ZZZZZZ"])
        sheets["S"] = (
            f'<row r="1"><c r="A1"><v>1</v></c></row><row r="{last}"><c r="{column}{last}"><v>1</v></c></row>'
        )
    elif kind == "strings":
        strings = ["x" * _magnitude(r, 50)] * count
        sheets["S"] = '<row r="1">' + '<c t="s"><v>0</v></c>' * count + "</row>"
    elif kind == "sheets":
        sheets = {f"S{n}": '<row r="1"><c r="A1"><v>1</v></c></row>' for n in range(min(count, 5000))}
    elif kind == "long":
        sheets["S"] = f'<row r="1"><c r="A1" t="inlineStr"><is><t>{"x" * count * 50}</t></is></c></row>'
    elif kind == "nested":
        sheets["S"] = '<row r="1"><c>' * count
    else:
        sheets["S"] = '<row r="1">' + "<c><v>1</v></c>" * count + "</row>"
    return HostileDocument(f"{kind} {count}", make_xlsx(sheets, strings), name="x.xlsx")


def _zip(r: random.Random) -> HostileDocument:
    """Archives with many members, with large ones, and with names of office files."""
    count = _magnitude(r, 50_000)
    if r.random() < 0.5:
        members: dict[str, str | bytes] = {f"word/{n}": "" for n in range(count)}
    else:
        members = {
            r.choice(["word/document.xml", "xl/workbook.xml", "mimetype", "xl/sharedStrings.xml"]): bytes(
                count * 4000
            )
        }
    return HostileDocument(f"{count} {next(iter(members))}", make_zip(members))


def _csv(r: random.Random) -> HostileDocument:
    unit = r.choice(
        ["a,b,c\n", ",", '"', "\n", "x" * 1000, '"a\n', "\x00", "é;", "=1+1\t", "{", "[[", '{"a":']
    )
    times = _magnitude(r, MAX_BYTES // len(unit))
    codec = r.choice(["utf-8", "utf-16", "cp1252", "utf-16-le"])
    return HostileDocument(
        f"{unit[:20]!r} * {times} {codec}", (unit * times).encode(codec, "replace"), "text/csv"
    )


def _bytes(r: random.Random) -> HostileDocument:
    """Bytes of no charset, or of many: the guess is the work."""
    pattern = r.randbytes(_magnitude(r, 300))
    times = _magnitude(r, MAX_BYTES // len(pattern))
    start = r.choice([b"", b"<html>", b"<p>" * 100, b"From: x\n", b"\xff\xfe", b"{"])
    return HostileDocument(
        f"{pattern[:20]!r} * {times}", start + pattern * times, r.choice(["text/html", "text/plain"])
    )


def _email(r: random.Random) -> HostileDocument:
    kind = r.choice(
        ["nested", "headers", "long header", "parts", "lines", "html", "encoded", "boundaries", "attached"]
    )
    count = _magnitude(r, 300_000)
    start = "From: a@example.com\nMIME-Version: 1.0\n"
    if kind == "nested":
        depth = min(count, 20_000)
        text = (
            start
            + "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
            + "\nx"
        )
    elif kind == "attached":
        text = start + "Content-Type: message/rfc822\n\n" * min(count, 100_000) + "x"
    elif kind == "headers":
        text = start + "".join(f"X-{n}: y\n" for n in range(count)) + "\nx"
    elif kind == "long header":
        name = r.choice(
            [
                "Subject",
                "To",
                "Content-Type",
                "Content-Disposition",
                "Date",
                "Content-Type: text/plain; charset",
            ]
        )
        unit = r.choice(["x", "a@b, ", "=?utf-8?q?x?= ", '"', ";a*0=b", "(", "<", ": ", "\n "])
        text = f"{start}{name}: {unit * count}\n\nx"
    elif kind == "parts":
        text = (
            start
            + "Content-Type: multipart/mixed; boundary=b\n\n"
            + "--b\nContent-Disposition: attachment; filename=x\n\ny\n" * count
        )
    elif kind == "lines":
        text = start + "\n" + r.choice(["\n", "x\n", "From x\n", "--\n", "\r"]) * count * 10
    elif kind == "html":
        page = _nested_html(r).body[:1_000_000].decode("utf-8", "replace")
        text = start + "Content-Type: text/html; charset=utf-8\n\n" + page
    elif kind == "encoded":
        encoded = base64.encodebytes(bytes(count * 20)).decode()
        text = (
            start
            + f"Content-Type: text/{r.choice(['html', 'plain'])}\nContent-Transfer-Encoding: base64\n\n{encoded}"
        )
    else:
        text = (
            start
            + "Content-Type: multipart/mixed; boundary="
            + "b" * 70
            + "\n\n"
            + ("--" + "b" * 69 + "\n") * count
        )
    return HostileDocument(f"{kind} {count}", text.encode("utf-8", "replace"), "message/rfc822", "x.eml")


def _gzip(r: random.Random) -> HostileDocument:
    """Archives in archives, members without content, and what expands a thousand times."""
    kind = r.choice(["nested", "members", "bomb", "html bomb"])
    count = _magnitude(r, MAX_BYTES)
    if kind == "nested":
        body = b"words"
        for _ in range(min(count, 2000)):
            body = gzip.compress(body, 1)
    elif kind == "members":
        body = gzip.compress(b"") * min(count, 400_000)
    else:
        content = b"<html>" + bytes(count) if kind == "html bomb" else bytes(count * 20)
        stream = zlib.compressobj(9, wbits=31)
        body = stream.compress(content) + stream.flush()
    return HostileDocument(f"{kind} {count}", body, name="x.gz")


Family = Callable[[random.Random], HostileDocument]

FAMILIES: dict[str, tuple[Family, int]] = {
    "repeated HTML": (_repeated_html, 30),
    "nested HTML": (_nested_html, 10),
    "random HTML": (_random_html, 8),
    "attributes in HTML": (_attribute_html, 4),
    "a long piece of HTML": (_long_piece_html, 10),
    "JSON-LD": (_json_ld_html, 3),
    "PDF": (_pdf, 10),
    "fonts of a PDF": (_font_pdf, 2),
    "docx": (_docx, 6),
    "xlsx": (_xlsx, 6),
    "zip": (_zip, 2),
    "csv": (_csv, 4),
    "bytes": (_bytes, 4),
    "email": (_email, 8),
    "gzip": (_gzip, 3),
}
"""Each family with its weight."""
