"""Bad days of Lambda and of EventBridge, as the workflow meets them: at the wire, run by run.

Lambda's own errors are answers of its API, those of a function are error documents, by the names that AWS gives
both: https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html. moto takes the name of
a function's error from the document's `errorType`, where AWS says Lambda.Unknown of a document that has none.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from flask import request
from moto.awslambda.exceptions import LambdaClientError
from moto.events.models import EventsBackend

from local.lambda_runtime import FunctionRunner, Invocation

When = Literal["before", "after"]
"""The function has done nothing yet, or all of its work; what is lost then is the answer."""


@dataclass(frozen=True)
class ApiError:
    """Lambda's API answers with an error."""

    code: str
    status: int

    @property
    def name(self) -> str:
        """What the workflow knows it by."""
        return f"Lambda.{self.code}"

    def answer(self) -> Invocation:
        """Raise it."""
        error = LambdaClientError(self.code, "A fault of the test.")
        error.code = self.status
        raise error


@dataclass(frozen=True)
class FunctionDied:
    """The function has ended with an error."""

    name: str
    message: str

    def answer(self) -> Invocation:
        """The error document."""
        document = {"errorType": self.name, "errorMessage": self.message}
        return Invocation(json.dumps(document), is_error=True)


@dataclass(frozen=True)
class Malformed:
    """The function has ended well and given something that nobody expects."""

    name: str
    result: Any

    def answer(self) -> Invocation:
        """The result."""
        return Invocation(json.dumps(self.result), is_error=False)


Fault = ApiError | FunctionDied | Malformed

THROTTLED = ApiError("TooManyRequestsException", 429)
SERVICE_ERROR = ApiError("ServiceException", 500)
TIME_OUT = FunctionDied("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 90.00 seconds")
OUT_OF_MEMORY = FunctionDied("Lambda.Unknown", "RequestId: 1 Process exited before completing request")
STRANGE = FunctionDied("ZeroDivisionError", "division by zero")
TRANSIENT = FunctionDied("TransientError", "POST /responses: Connection refused")
MALFORMED = (
    Malformed("null", None),
    Malformed("a list", ["done"]),
    Malformed("words", "done"),
    Malformed("no fields", {}),
    Malformed(
        "other fields", {"status": 7, "handle": "x", "tools": {}, "limits": [], "pause_seconds": "long"}
    ),
)
ENORMOUS = Malformed("enormous", {"text": "x" * 300_000})


@dataclass
class _Planned:
    function: str
    fault: Fault
    when: When
    left: float


@dataclass
class FaultyLambda:
    """Stands before the functions of a laptop cloud, and answers in their place where that was planned."""

    runner: FunctionRunner
    _planned: dict[str, list[_Planned]] = field(default_factory=dict)

    @property
    def functions(self) -> Any:
        """The functions that there are."""
        return self.runner.functions

    def plan(self, run_id: str, function: str, fault: Fault, when: When, *, always: bool = False) -> None:
        """Plan a fault of a function, whose name ends as given, for a run: once, or always."""
        left = float("inf") if always else 1
        self._planned.setdefault(run_id, []).append(_Planned(function, fault, when, left))

    def unspent(self, run_id: str) -> bool:
        """Whether a fault that was planned once has not happened."""
        return any(planned.left == 1 for planned in self._planned.get(run_id, []))

    def invoke(self, name: str, event: str) -> Invocation:
        """Invoke a function, or answer in its place. Raises what moto makes an error of Lambda's API of."""
        run_id = json.loads(event).get("run_id", "")
        for planned in self._planned.get(run_id, []):
            if planned.left and planned.function in name:
                planned.left -= 1
                if planned.when == "after":
                    self.runner.invoke(name, event)
                return planned.fault.answer()
        return self.runner.invoke(name, event)


EventBridgeFault = Literal["throttled", "service error", "no answer"]


@dataclass
class FaultyEventBridge:
    """EventBridge as workflows see it: what an execution announces can go wrong, run by run."""

    _planned: dict[str, tuple[EventBridgeFault, When, list[float]]] = field(default_factory=dict)

    def plan(self, run_id: str, fault: EventBridgeFault, when: When, *, always: bool = False) -> None:
        """Plan a fault for the announcement of a run by its execution: once, or always."""
        self._planned[run_id] = (fault, when, [float("inf") if always else 1])

    @contextmanager
    def instead(self) -> Iterator[None]:
        """Stand before moto's EventBridge for a while.

        A workflow's event names its execution among its resources, as on AWS; nobody else's does.
        """
        put_events = EventsBackend.put_events

        def put(backend: EventsBackend, events: list[dict[str, Any]]) -> Any:
            fault, when, left = self._planned.get(_execution(events), ("", "before", [0.0]))
            if not fault or not left[0]:
                return put_events(backend, events)
            left[0] -= 1
            if when == "after":
                put_events(backend, events)
            if fault == "no answer":
                request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            code = "ThrottlingException" if fault == "throttled" else "InternalFailure"
            return [{"ErrorCode": code, "ErrorMessage": "A fault of the test."}]

        EventsBackend.put_events = put  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            EventsBackend.put_events = put_events  # type: ignore[method-assign]


def _execution(events: list[dict[str, Any]]) -> str:
    """The name of the execution that puts these events on the bus; nothing where it is none."""
    resources = [str(each) for each in events[0].get("Resources") or ()] if events else []
    return next((each.rpartition(":")[2] for each in resources if ":execution:" in each), "")
