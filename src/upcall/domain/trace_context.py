"""The trace that a request belongs to: the header `traceparent` of https://www.w3.org/TR/trace-context/."""

import re
from typing import Final, Self

from upcall.domain.model import Model

SAMPLED: Final = 0x01
"""The trace flag that says that whoever started the trace records it."""

_KNOWN_FLAGS: Final = 0x03
"""Sampled, and that the trace id is random. The others must be ignored."""

_TRACEPARENT: Final = re.compile(
    "(?P<version>[0-9a-f]{2})-(?P<trace_id>[0-9a-f]{32})-(?P<parent_id>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    "(?P<rest>-.*)?",
    re.DOTALL,
)


class TraceContext(Model):
    """A trace, the span in it that started what we do, and the trace's flags."""

    trace_id: str
    parent_id: str
    flags: int

    @classmethod
    def parse(cls, traceparent: str | None) -> Self | None:
        """The context in a header; None without a valid one, which the standard says to ignore.

        Of a later version than 00 the fields of that version are taken, and what follows them is not.
        """
        found = _TRACEPARENT.fullmatch(traceparent.strip(" \t")) if traceparent else None
        if found is None or found["version"] == "ff" or (found["version"] == "00" and found["rest"]):
            return None
        if set(found["trace_id"]) == {"0"} or set(found["parent_id"]) == {"0"}:
            return None
        flags = int(found["flags"], 16) & _KNOWN_FLAGS
        return cls(trace_id=found["trace_id"], parent_id=found["parent_id"], flags=flags)

    @property
    def sampled(self) -> bool:
        """Whether the trace is recorded."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """The header, in version 00."""
        return f"00-{self.trace_id}-{self.parent_id}-{self.flags:02x}"


def valid_traceparent(traceparent: str | None) -> str | None:
    """A header in version 00; None without a valid one."""
    context = TraceContext.parse(traceparent)
    return context.traceparent if context else None
