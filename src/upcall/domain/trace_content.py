"""What models, tools and callers wrote, for a trace: nothing unless it is switched on, and bounded."""

import json
from typing import Any, Final

from upcall.domain.run import Run
from upcall.domain.span import Attributes
from upcall.domain.tool_calls import LedgerEntry

MAX_TEXT_CHARACTERS: Final = 8000
"""Of one text in a trace."""

MAX_TRACE_CHARACTERS: Final = 500_000
"""Of all texts in a trace. Receivers take a few megabytes, and a character may be six bytes of them."""

TRUNCATED: Final = "upcall.content.truncated"


class TraceContent:
    """The texts of one trace. Each is in it once; those that come first are in it if not all fit."""

    def __init__(self, switched_on: bool, message: str | None = None) -> None:
        self._left = MAX_TRACE_CHARACTERS if switched_on else 0
        self._switched_on = switched_on
        self._message = message

    def of_run(self, run: Run) -> Attributes:
        """The run's instructions, input, message and metadata. Messages have the conventions' JSON schema."""
        if not self._switched_on:
            return {}
        texts = _Texts(self)
        attributes: dict[str, Any] = {}
        if run.instructions:
            attributes["gen_ai.system_instructions"] = [texts.part(run.instructions)]
        attributes["gen_ai.input.messages"] = [
            {"role": item.role, "parts": [texts.part(item.content)]} for item in run.items
        ]
        if self._message:
            finish_reason = "stop" if run.status == "completed" else "length"
            message = {"role": "assistant", "parts": [texts.part(self._message)]}
            attributes["gen_ai.output.messages"] = [{**message, "finish_reason": finish_reason}]
        encoded = {name: json.dumps(value, ensure_ascii=False) for name, value in attributes.items()}
        metadata = {f"upcall.metadata.{name}": texts.cut(value) for name, value in run.metadata.items()}
        return {**encoded, **metadata, **texts.note}

    def of_call(self, entry: LedgerEntry) -> Attributes:
        """A call's arguments and result, and who decided about it."""
        if not self._switched_on:
            return {}
        texts = _Texts(self)
        decision = {"upcall.approval.decided_by": entry.decision.decided_by} if entry.decision else {}
        return {
            "gen_ai.tool.call.arguments": texts.cut(entry.call.arguments),
            "gen_ai.tool.call.result": texts.cut(entry.output.output),
            **decision,
            **texts.note,
        }

    def of_failure(self, run: Run) -> str:
        """The message of the run's failure, which may quote the server."""
        return self.take(run.failure.message) if self._switched_on and run.failure else ""

    def take(self, text: str) -> str:
        """As much of the text as there is room for."""
        taken = text[: min(MAX_TEXT_CHARACTERS, self._left)]
        self._left -= len(taken)
        return taken


class _Texts:
    """The texts of one span, and whether one of them was cut."""

    def __init__(self, content: TraceContent) -> None:
        self._content = content
        self.note: Attributes = {}

    def cut(self, text: str) -> str:
        taken = self._content.take(text)
        if len(taken) < len(text):
            self.note = {TRUNCATED: True}
        return taken

    def part(self, text: str) -> dict[str, str]:
        return {"type": "text", "content": self.cut(text)}
