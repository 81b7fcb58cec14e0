"""The expected results of functions for their sample events, in the order in which a run invokes them."""

import json
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]


def _response(code: int, /, **fields: Any) -> Check:
    """A response of the API with this status and these fields; `...` is any value that is not empty."""

    def check(result: Any) -> bool:
        body = json.loads(result["body"])
        return result["statusCode"] == code and all(
            bool(body[name]) if value is ... else body[name] == value for name, value in fields.items()
        )

    return check


def _tool_output(outcome: str, text: str) -> Check:
    """An output of a tool that contains the text."""
    return lambda result: result["outcome"] == outcome and text in result["output"]


def _upstream_response(response_id: str) -> Check:
    """A workflow task that created this response upstream."""
    return lambda result: result["upstream_run"]["ids"]["response_id"] == response_id


EXPECTED: dict[str, Check] = {
    "CreateRunFunction": _upstream_response("resp_000000000001"),
    "WaitForChangeFunction": lambda result: result["status"] in ("in_progress", "requires_action"),
    "PollRunFunction": lambda result: [call["call_id"] for call in result["tool_calls"]] == ["call_1_1"],
    "SubmitToolOutputsFunction": _upstream_response("resp_000000000002"),
    "SaveMessageFunction": lambda result: result["status"] == "completed",
    "GetRunFunction": _response(200, status="completed", round=1, message=...),
    "ListCallsFunction": _response(200, calls=...),
    "ListEventsFunction": _response(200, events=...),
    "GetMessageFunction": _response(200, text=...),
    "ListRunsFunction": _response(200, runs=...),
    "ListToolsFunction": _response(200, tools=...),
    "ListAssistantsFunction": _response(200, assistants=...),
    "DescribeApiFunction": _response(200, openapi=..., paths=...),
    "FetchFunction": _tool_output("ok", "Why the tide comes twice a day"),
    "ReadObjectFunction": _tool_output("ok", "Why the tide comes twice a day"),
    "NotifyFunction": _tool_output("error", "no webhook is configured"),
    "WaitForAnswerFunction": lambda result: result == {},
    "ReceiveDecisionFunction": _response(200, decision="approve", decided_by="anybody"),
    "ReceiveToolOutputsFunction": _response(200, status="requires_action", open_calls=...),
    "CancelRunFunction": _response(200, status="cancelled"),
    "RecordFailureFunction": lambda result: result["status"] == "failed",
    "RetryRunFunction": _response(202, status="queued", attempt=2),
    "StartRunFunction": _response(202, status="queued", run_id=...),
    "CloseRunFunction": lambda result: result == {"batchItemFailures": []},
    "DeliverCallbackFunction": lambda result: result == {"batchItemFailures": []},
    "ExportTraceFunction": lambda result: result == {"batchItemFailures": []},
    "SweepRunsFunction": lambda result: result["resumed"] == 0,
    "SweepBatchesFunction": lambda result: result["given_up"] == 0,
    "ListBatchesFunction": _response(200, batches=...),
    "GetBatchFunction": _response(200, status="validating", counts=...),
    "PrepareBatchFunction": lambda result: (result["status"], result["lines"]) == ("in_progress", 1),
    "StartBatchRunFunction": lambda result: result == {},
    "CancelBatchRunsFunction": lambda result: not result["more"],
    "WriteBatchResultsFunction": lambda result: result["done"],
    "GetBatchResultsFunction": _response(200, files=..., manifest_url=...),
    "StartBatchFunction": _response(202, status="validating", batch_id=...),
    "CancelBatchFunction": _response(200, status="cancelling"),
    "StartRunFromEventFunction": lambda result: result == {"batchItemFailures": []},
}
"""By logical id. Other routes should respond with a status below 300, and other tools should not fail."""


def is_expected(function: str, result: Any) -> bool:
    """Whether this is the expected result of a function for its sample event."""
    return EXPECTED.get(function, _succeeded)(result)


def _succeeded(result: Any) -> bool:
    return bool(result["statusCode"] < 300 if "statusCode" in result else result["outcome"] == "ok")
