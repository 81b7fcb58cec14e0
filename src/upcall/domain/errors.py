"""Every error of Upcall, named by what the caller should do.

    UpcallError
    ├── InvalidInput            correct the request: names each field and the reason         HTTP 400
    ├── CallerNotIdentified     authenticate so that the caller can be told from others      HTTP 403
    ├── DecisionNotAllowed      ask somebody else to decide                                  HTTP 403
    ├── NotFound                ask for something that exists                                HTTP 404
    ├── RunAlreadyEnded         nothing to do: the run has its terminal status               HTTP 409
    ├── BatchAlreadyEnded       nothing to do: the batch has its terminal status             HTTP 409
    ├── RunNotRetryable         wait for its end, or start a new run                         HTTP 409
    ├── CallConflict            look at the call again: it has other arguments or an answer  HTTP 409
    ├── IdempotencyKeyConflict  send another Idempotency-Key, or the request it stands for   HTTP 422
    ├── QuotaExceeded           wait until the quota has room again                          HTTP 429
    ├── Stopped                 wait until an operator lets runs start again                 HTTP 503
    ├── TransientError          wait, then repeat: the workflow's Retry names this
    ├── RequestRejected         do not repeat: the server rejected the request
    │   └── InvalidSecret       store the secret anew: the message names it
    ├── InternalError           look into the logs: a defect of ours; the message says where
    ├── BatchStopped            start no further run: the workflow of batches ends its Map
    ├── ApprovalRequired        have the call approved: the workflow's Catch names this
    ├── ToolError               tell the model: the message is written for it
    └── OutcomeUnknown          tell the model: it may have happened, and must not be repeated

Step Functions knows an error by the name of its class, so these names also stand in `run.asl.yaml`.
"""

from dataclasses import dataclass


class UpcallError(Exception):
    """Base of every error that Upcall raises on purpose."""


@dataclass(frozen=True)
class FieldError:
    """A field of a request, and why its value was rejected."""

    field: str
    reason: str


class InvalidInput(UpcallError):
    """The request is invalid; `errors` names each field and the reason."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.reason}" for error in errors))
        self.errors = errors


class CallerNotIdentified(UpcallError):
    """The request is authorized, but nothing in it tells the caller from others."""


class DecisionNotAllowed(UpcallError):
    """The caller may not decide about this call."""


class NotFound(UpcallError):
    """It does not exist."""


class RunAlreadyEnded(UpcallError):
    """The run has its terminal status already; a terminal status is written once."""


class BatchAlreadyEnded(UpcallError):
    """The batch has its terminal status already; a terminal status is written once."""


class BatchStopped(UpcallError):
    """No further line of the batch is started: it is being cancelled, or has exceeded what it may."""


class RunNotRetryable(UpcallError):
    """The run is in a state, or in a conversation, from which it cannot be retried."""


class CallConflict(UpcallError):
    """The call has been answered otherwise, or does not have the arguments that were decided about."""


class IdempotencyKeyConflict(UpcallError):
    """The idempotency key stands for another request."""


class QuotaExceeded(UpcallError):
    """A quota of the caller is used up.

    `quota` is its name and `limit` its size (dollars in millionths), `retry_after` says in how many seconds
    it may have room again, `window` over how many seconds it counts; None for runs that are open at once.
    """

    def __init__(self, message: str, quota: str, limit: int, retry_after: int, window: int | None) -> None:
        super().__init__(message)
        self.quota = quota
        self.limit = limit
        self.retry_after = retry_after
        self.window = window


class Stopped(UpcallError):
    """An operator has stopped the start of runs. `retry_after` are seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TransientError(UpcallError):
    """A server was throttled or down, or the connection was lost.

    `retry_after` is the delay in seconds that the server asked for, or None. `detail` is the server's own
    message, for the record of a run; the exception's message may be logged and does not quote the server.
    """

    def __init__(self, message: str, retry_after: float | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.detail = detail or message


class RequestRejected(UpcallError):
    """A server rejected the request, mostly OpenAI's; `code` and `message` are then its own."""

    def __init__(self, message: str, code: str = "rejected") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class InvalidSecret(RequestRejected):
    """A secret is empty or malformed. No request can be made with it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_secret")


class InternalError(UpcallError):
    """A defect. The message says where, and nothing of what the exception said."""


class ApprovalRequired(UpcallError):
    """A tool's function was not run: a person must approve the call first."""


class ToolError(UpcallError):
    """A tool could not do what was asked. The model reads the message and may try otherwise."""


class OutcomeUnknown(UpcallError):
    """A tool's effect may have happened or not; the message says why nobody can tell."""
