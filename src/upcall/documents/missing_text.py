"""Pages of which nothing can be read: what they are, and what can be done instead."""

import re
from contextlib import suppress
from typing import Final

from upcall.documents.challenge import challenge_message, detect_challenge
from upcall.documents.document import Document
from upcall.documents.limits import LimitExceeded, time_limit
from upcall.documents.outline import Outline, add_to_outline
from upcall.domain.errors import ToolError

MAX_CHARACTERS: Final = 300
"""Of a text that may be no more than a notice: "Please enable JavaScript", "Log in", "Loading"."""

MAX_HTML_CHARACTERS: Final = 500_000
MAX_SECONDS: Final = 1.0
MAX_QUOTED_CHARACTERS: Final = 300

MAX_TEXT_BESIDE_NOTICE: Final = 150
"""Of visible text on a page that asks for scripts only if there are none: its header and footer."""

MAX_WAITING_CHARACTERS: Final = 40
MAX_LINKS: Final = 10

_SCRIPT_NOTICE: Final = re.compile(
    r"(enabl|requir|need|turn|activat|allow|without|support).{0,60}\b(java ?script|js)\b"
    r"|\b(java ?script|js)\b.{0,60}(enabl|requir|disabled|turn|activat|allow|support|must be|is off)",
    re.DOTALL,
)
_BROWSER_CHECK: Final = re.compile(
    r"\b(are|you're) (a )?human\b|not a (ro)?bot\b|checking (your browser|if the site)|security check"
    r"|verif(y|ying) (your browser|that you)|unusual traffic|\bcaptcha\b",
)
_WAITING: Final = re.compile(r"(loading|please wait|redirecting|one moment|just a moment)\b")


def check_has_text(html: str, document: Document, url: str) -> None:
    """Raise ToolError, with what the page is and what can be done, if its document has nothing to read.

    A short text that is only a notice counts as nothing; the message quotes it.
    """
    if len(document.text.strip()) > MAX_CHARACTERS:
        return
    page = Outline(base=url)
    with suppress(LimitExceeded), time_limit(MAX_SECONDS):
        add_to_outline(page, html[:MAX_HTML_CHARACTERS])
    if reason := _reason(html, document, page):
        raise ToolError(_message(reason, document, page))


def _reason(html: str, document: Document, page: Outline) -> str | None:
    """What the page is; None if its text is worth reading."""
    text = document.text.strip()
    if not page.text or _is_notice(page):
        if vendor := detect_challenge(html):
            return challenge_message(vendor)
        if _BROWSER_CHECK.search(page.text.lower()):
            return challenge_message("by an unknown service")
    if page.is_frameset and page.frames:
        return f"the page only shows other pages in frames: {', '.join(page.frames)}. Fetch one of them"
    if page.asks_for_password:
        return "the page asks for a login, which this tool does not have; use a page that is public"
    if page.scripts and (not page.text or _is_notice(page)):
        return (
            "the page is drawn by JavaScript, which this tool does not run; "
            "look for an API of the site, or for another page"
        )
    if text:
        return None
    if page.frames or page.embedded:
        shown = ", ".join(page.frames + page.embedded)
        return f"the page has no text of its own; it shows these: {shown}. Fetch one of them"
    if page.images:
        return f"the page shows only images ({page.images}), which this tool does not read"
    return "the page is empty" if not html.strip() else "the page contains no text"


def _is_notice(page: Outline) -> bool:
    """Whether the visible text, or the text for browsers without scripts, says that there is more to see."""
    text = page.text.lower()
    if "javascript" in page.noscript_text.lower() and len(text) <= MAX_TEXT_BESIDE_NOTICE:
        return True
    if len(text) <= MAX_WAITING_CHARACTERS and _WAITING.match(text):
        return True
    return bool(_SCRIPT_NOTICE.search(text) or _BROWSER_CHECK.search(text))


def _message(reason: str, document: Document, page: Outline) -> str:
    """The reason, with everything that the page does say."""
    parts = [reason]
    text = " ".join(document.text.split()) or page.noscript_text
    if document.title:
        parts.append(f"Its title: {_quote(document.title)}")
    if page.description:
        parts.append(f"Its description: {_quote(page.description)}")
    if text:
        parts.append(f"All that it says: {_quote(text)}")
    elif page.image_texts:
        parts.append(f"Texts of its images: {', '.join(map(_quote, page.image_texts))}")
    if document.links:
        links = [f"{_quote(link.text)} {link.url}" for link in document.links[:MAX_LINKS]]
        parts.append(f"Its links: {', '.join(links)}")
    if page.alternates:
        parts.append(f"Other forms of it: {', '.join(page.alternates)}")
    if page.refresh and page.refresh.url and (target := page.resolve(page.refresh.url)):
        parts.append(f"After {page.refresh.seconds} seconds it leads to {target}")
    return ". ".join(parts)


def _quote(text: str) -> str:
    return f'"{text[:MAX_QUOTED_CHARACTERS]}{"…" if len(text) > MAX_QUOTED_CHARACTERS else ""}"'
