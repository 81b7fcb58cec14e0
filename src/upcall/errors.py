"""Every error of Upcall, named by what the caller should do.

    UpcallError
    ├── InvalidInput   mend the request: names each field and the reason     HTTP 400
    ├── NotFound       ask for something that exists                         HTTP 404
    ├── RunEnded       nothing more to do: the run has its terminal status   HTTP 409
    ├── CannotRetry    wait for its end, or start a new run                  HTTP 409
    ├── KeyReused      send another Idempotency-Key, or the request it stands for    HTTP 422
    ├── TryAgain       wait, then repeat: the workflow's Retry names this
    ├── Refused        do not repeat: OpenAI said no, in its own words
    ├── Unexpected     look into the logs: the fault is ours, and the message says where
    ├── ToolError      tell the model: the message is written for it to read
    └── OutcomeUnknown tell the model: it may have happened, and must not be repeated

Step Functions sees an error by the name of its class, so these names stand in `run.asl.yaml` too.
"""

from dataclasses import dataclass


class UpcallError(Exception):
    """Base of every error that Upcall raises on purpose."""


@dataclass(frozen=True)
class FieldError:
    """One field of a request and the reason why it cannot be taken."""

    field: str
    reason: str


class InvalidInput(UpcallError):
    """The request cannot be taken; `errors` names each field and the reason."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.reason}" for error in errors))
        self.errors = errors


class NotFound(UpcallError):
    """There is no such thing."""


class RunEnded(UpcallError):
    """The run has its terminal status already; a terminal status is written once."""


class CannotRetry(UpcallError):
    """The run is in a state, or a conversation, from which it cannot be tried again."""


class KeyReused(UpcallError):
    """The idempotency key stands for another request."""


class TryAgain(UpcallError):
    """The world was not ready: throttled, down, or the connection was lost.

    `retry_after` is the server's own wish in seconds, or None where it said nothing.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(UpcallError):
    """OpenAI refused the request for good; `code` and `message` are the server's own words."""

    def __init__(self, message: str, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unexpected(UpcallError):
    """Something broke that nobody had thought of; the message says where, in no words of others."""


class ToolError(UpcallError):
    """A tool could not do what it was asked; the model reads the message and may try otherwise."""


class OutcomeUnknown(UpcallError):
    """What a tool was to do may have happened or not; the message says why that cannot be told."""
