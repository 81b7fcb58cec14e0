"""What a check finds."""

from dataclasses import dataclass
from typing import Literal

MAX_MESSAGE_CHARACTERS = 200
"""Of what a server says. A proxy may respond with a whole page."""

CheckStatus = Literal["ok", "warning", "failed", "unknown"]
"""`unknown` means that the check could not be made."""


@dataclass(frozen=True)
class Finding:
    """The result of one check, with a message for the user."""

    check: str
    status: CheckStatus
    message: str

    @property
    def is_problem(self) -> bool:
        """Whether the command exits with 1 because of it."""
        return self.status in ("failed", "unknown")


def passed_if(condition: bool, check: str, message: str) -> Finding:
    """A finding that is "ok" or "failed"."""
    return Finding(check, "ok" if condition else "failed", message)


def shorten(message: str) -> str:
    """A message of a server as one short line."""
    return "".join(filter(str.isprintable, " ".join(message.split())))[:MAX_MESSAGE_CHARACTERS]
