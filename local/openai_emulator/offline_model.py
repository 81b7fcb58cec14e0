"""The offline model: it reads the pages that a prompt names, and selects sentences from them.

It also calls a tool that a prompt spells out, as in `refund({"amount": 150})`, after it has read.
"""

import json
import re
from collections.abc import Iterator
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

READERS = ("fetch", "read_object")

NO_PAGES = "I am the offline model: I read the pages that a prompt names. It names none."


def offline_model(conversation: Conversation) -> Step:
    """Read what the prompt names, make the calls that it spells out in a second round; then say what came."""
    known = (
        tuple(call for call in calls if call.name in conversation.tools)
        for calls in (_reading_calls(conversation.prompt), _spelled_out_calls(conversation.prompt))
    )
    rounds = [calls for calls in known if calls]
    if len(conversation.rounds) < len(rounds):
        return CallTools(rounds[len(conversation.rounds)])
    exchanges = [exchange for round_ in conversation.rounds for exchange in round_]
    text = "\n\n".join(_summary(exchange) for exchange in exchanges) or NO_PAGES
    if conversation.schema is None:
        return Say(text)
    return Say(json.dumps(schema_instance(conversation.schema, text), ensure_ascii=False))


def _reading_calls(prompt: str) -> list[Call]:
    keys = re.findall(r'stored object [^"]*("(?:[^"\\]|\\.)*")', prompt)
    urls = [url.rstrip(".,;:!?)'\"") for url in re.findall(r"https?://[^\s<>\"]+", prompt)]
    return [
        *(Call.of("read_object", key=key) for key in dict.fromkeys(map(_parse_string, keys)) if key),
        *(Call.of("fetch", url=url) for url in dict.fromkeys(urls) if not keys),
    ]


def _spelled_out_calls(prompt: str) -> Iterator[Call]:
    for match in re.finditer(r"([A-Za-z0-9_-]{1,64})\((?=\{)", prompt):
        try:
            arguments, _ = json.JSONDecoder().raw_decode(prompt, match.end())
        except (ValueError, RecursionError):
            continue
        yield Call(match[1], json.dumps(arguments, ensure_ascii=False))


def _parse_string(text: str) -> str | None:
    """The string in a JSON text; None if the text is not valid."""
    try:
        return str(json.loads(text))
    except ValueError:
        return None


def _summary(exchange: Exchange) -> str:
    if exchange.call.name not in READERS:
        return f"{exchange.call.name} answered: {exchange.output}"
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
