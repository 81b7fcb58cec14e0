"""The offline model: it reads the pages that a prompt names, and selects sentences from them."""

import json
import re
from typing import Any

from local.openai_emulator.conversation import (
    Call,
    CallTools,
    Conversation,
    Exchange,
    Say,
    Step,
)
from local.openai_emulator.schema_instance import schema_instance
from local.openai_emulator.summary import summarise

NO_PAGES = "I am the offline model: I read the pages that a prompt names. It names none."


def offline_model(conversation: Conversation) -> Step:
    """Read every URL and stored object of the prompt, in one round, then summarise them."""
    if not conversation.rounds and (calls := _calls(conversation)):
        return CallTools(calls)
    exchanges = [exchange for round_ in conversation.rounds for exchange in round_]
    text = "\n\n".join(_summary(exchange) for exchange in exchanges) or NO_PAGES
    if conversation.schema is None:
        return Say(text)
    return Say(json.dumps(schema_instance(conversation.schema, text), ensure_ascii=False))


def _calls(conversation: Conversation) -> tuple[Call, ...]:
    keys = re.findall(r'stored object [^"]*("(?:[^"\\]|\\.)*")', conversation.prompt)
    urls = [url.rstrip(".,;:!?)'\"") for url in re.findall(r"https?://[^\s<>\"]+", conversation.prompt)]
    calls = [
        *(Call.of("read_object", key=key) for key in dict.fromkeys(map(_parse_string, keys)) if key),
        *(Call.of("fetch", url=url) for url in dict.fromkeys(urls) if not keys),
    ]
    return tuple(call for call in calls if call.name in conversation.tools)


def _parse_string(text: str) -> str | None:
    """The string in a JSON text; None if the text is not valid."""
    try:
        return str(json.loads(text))
    except ValueError:
        return None


def _summary(exchange: Exchange) -> str:
    (source, *_) = json.loads(exchange.call.arguments).values()
    page = _parse_output(exchange.output)
    if "error" in page:
        return f"I could not read {source}: {page['error']}"
    return f"{page.get('title') or source}: {summarise(str(page.get('text') or exchange.output))}"


def _parse_output(output: str) -> dict[str, Any]:
    """The fields of an output that is a JSON object; no fields for any other output."""
    try:
        fields = json.loads(output)
    except (ValueError, RecursionError):
        fields = None
    return fields if isinstance(fields, dict) else {}
