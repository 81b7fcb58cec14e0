"""What each function should answer to its sample event, in the order in which the samples tell of a run."""

import json
from collections.abc import Callable
from typing import Any

Judge = Callable[[Any], bool]


def _answers(code: int, /, **fields: Any) -> Judge:
    """An answer of the API with that status, whose body has these fields; `...` is anything but nothing."""

    def right(answer: Any) -> bool:
        body = json.loads(answer["body"])
        return answer["statusCode"] == code and all(
            bool(body[name]) if wanted is ... else body[name] == wanted for name, wanted in fields.items()
        )

    return right


def _said(outcome: str, words: str) -> Judge:
    """What a tool said to the model."""
    return lambda answer: answer["outcome"] == outcome and words in answer["output"]


def _made(response_id: str) -> Judge:
    """A step that leads to that response upstream."""
    return lambda answer: answer["upstream_run"]["ids"] == {"response_id": response_id}


ANSWERS: dict[str, Judge] = {
    "CreateRunFunction": _made("resp_000000000001"),
    "PollRunFunction": lambda answer: [call["call_id"] for call in answer["tool_calls"]] == ["call_1_1"],
    "SubmitToolOutputsFunction": _made("resp_000000000002"),
    "SaveMessageFunction": lambda answer: answer["status"] == "completed",
    "GetRunFunction": _answers(200, status="completed", round=1, message=...),
    "ListCallsFunction": _answers(200, calls=...),
    "ListRunsFunction": _answers(200, runs=...),
    "ListToolsFunction": _answers(200, tools=...),
    "ListAssistantsFunction": _answers(200, assistants=...),
    "DescribeApiFunction": _answers(200, openapi=..., paths=...),
    "FetchFunction": _said("ok", "Why the tide comes twice a day"),
    "ReadObjectFunction": _said("ok", "Why the tide comes twice a day"),
    "NotifyFunction": _said("error", "no webhook is set up here"),
    "CancelRunFunction": _answers(200, status="cancelled"),
    "RecordFailureFunction": lambda answer: answer["status"] == "failed",
    "RetryRunFunction": _answers(202, status="queued", attempt=2),
    "StartRunFunction": _answers(202, status="queued", run_id=...),
    "CloseRunFunction": lambda answer: answer == {"batchItemFailures": []},
    "DeliverCallbackFunction": lambda answer: answer == {"batchItemFailures": []},
    "SweepRunsFunction": lambda answer: answer["resumed"] == 0,
    "StartRunFromEventFunction": lambda answer: answer == {"batchItemFailures": []},
}
"""By logical id: each handler's, and that of each tool from which more is wanted than an outcome."""


def judge(function: str) -> Judge:
    """What judges the answer of a function; of a tool that is not named here, that it went well."""
    return ANSWERS.get(function, _said("ok", ""))
