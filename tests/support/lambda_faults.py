"""Faults of Lambda as the workflow sees them, planned run by run.

Errors of Lambda's API and of functions have the names that AWS gives them:
https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html. moto takes the name of a
function's error from `errorType` of the error document; AWS says Lambda.Unknown if the document has none.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from moto.awslambda.exceptions import LambdaClientError

from local.lambda_runtime import FunctionRunner, Invocation

When = Literal["before", "after"]
"""Whether the fault happens before the function has done its work, or after it, so that its result is lost."""


@dataclass(frozen=True)
class ApiError:
    """Lambda's API responds with an error."""

    code: str
    status: int

    @property
    def name(self) -> str:
        """The name of the error in the workflow."""
        return f"Lambda.{self.code}"

    def invoke(self) -> Invocation:
        """Raise the error."""
        error = LambdaClientError(self.code, "A fault of the test.")
        error.code = self.status
        raise error


@dataclass(frozen=True)
class FunctionFailure:
    """The function ends with an error."""

    name: str
    message: str

    def invoke(self) -> Invocation:
        """The error document."""
        document = {"errorType": self.name, "errorMessage": self.message}
        return Invocation(json.dumps(document), is_error=True)


@dataclass(frozen=True)
class MalformedResult:
    """The function ends without an error and returns something unexpected."""

    name: str
    result: Any

    def invoke(self) -> Invocation:
        """The result."""
        return Invocation(json.dumps(self.result), is_error=False)


Fault = ApiError | FunctionFailure | MalformedResult

THROTTLED = ApiError("TooManyRequestsException", 429)
SERVICE_ERROR = ApiError("ServiceException", 500)
TIMEOUT = FunctionFailure("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 90.00 seconds")
OUT_OF_MEMORY = FunctionFailure("Lambda.Unknown", "RequestId: 1 Process exited before completing request")
FUNCTION_ERROR = FunctionFailure("ZeroDivisionError", "division by zero")
TRANSIENT_ERROR = FunctionFailure("TransientError", "POST /responses: Connection refused")
NO_FIELDS = MalformedResult("no fields", {})
MALFORMED_RESULTS = (
    MalformedResult("null", None),
    MalformedResult("a list", ["done"]),
    MalformedResult("text", "done"),
    NO_FIELDS,
    MalformedResult(
        "other fields",
        {"status": 7, "upstream_run": "x", "tools": {}, "limits": [], "pause_seconds": "long"},
    ),
)
ENORMOUS_RESULT = MalformedResult("enormous", {"text": "x" * 300_000})


@dataclass
class _PlannedFault:
    function: str
    fault: Fault
    when: When
    remaining: float
    skipped: int


@dataclass
class FaultyLambda:
    """Invokes the functions of a local stack, except where a fault is planned."""

    runner: FunctionRunner
    _planned: dict[str, list[_PlannedFault]] = field(default_factory=dict)

    @property
    def functions(self) -> Any:
        """The functions of the stack."""
        return self.runner.functions

    def plan(
        self, run_id: str, function: str, fault: Fault, when: When, *, always: bool = False, skipped: int = 0
    ) -> None:
        """Plan a fault of a run's function, once or always, after `skipped` invocations without a fault.

        `function` is a part of the function's name.
        """
        remaining = float("inf") if always else 1
        self._planned.setdefault(run_id, []).append(_PlannedFault(function, fault, when, remaining, skipped))

    def has_pending_fault(self, run_id: str) -> bool:
        """Whether a fault that was planned once has not happened yet."""
        return any(planned.remaining == 1 for planned in self._planned.get(run_id, []))

    def invoke(self, name: str, event: str) -> Invocation:
        """Invoke a function, or let its planned fault happen. Raises moto's form of an error of Lambda's API."""
        run_id = json.loads(event).get("run_id", "")
        for planned in self._planned.get(run_id, []):
            if planned.remaining and planned.function in name:
                if planned.skipped:
                    planned.skipped -= 1
                    continue
                planned.remaining -= 1
                if planned.when == "after":
                    self.runner.invoke(name, event)
                return planned.fault.invoke()
        return self.runner.invoke(name, event)
