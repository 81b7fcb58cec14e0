"""A run that cannot complete ends with a terminal status and a reason. Transient failures do not end it."""

import pytest
from support.runs import Runs

from local.openai_emulator import Call, CallTools, EndIncomplete, Fail, Fault, Say


def test_a_failure_upstream_has_the_message_of_the_server(runs: Runs) -> None:
    ended = runs.run_script(Fail("server_error", "The model is on fire."))

    assert ended.run["status"] == "failed"
    assert ended.run["failure"] == {
        "status": "failed",
        "code": "server_error",
        "message": "The model is on fire.",
    }
    assert "message" not in ended.run
    assert (ended.execution["status"], ended.execution["error"]) == ("FAILED", "server_error")


def test_an_incomplete_response_makes_the_run_incomplete(runs: Runs) -> None:
    run = runs.run_script(EndIncomplete("max_output_tokens")).run

    assert run["status"] == "incomplete"
    assert run["failure"]["code"] == "max_output_tokens"


def test_a_model_that_always_asks_for_tools_reaches_the_limit_of_rounds(runs: Runs) -> None:
    run = runs.run_script(CallTools((Call("nothing", "{}"),))).run

    assert run["status"] == "failed"
    assert run["round"] == 10
    assert run["failure"]["code"] == "limit_rounds"
    assert run["failure"]["message"] == "The model asked for tools again after 10 rounds."


@pytest.mark.parametrize(
    ("operation", "status", "body", "message"),
    [
        ("create", 401, '{"error": {"message": "No key.", "code": "invalid_api_key"}}', "No key."),
        ("create", 429, '{"error": {"message": "Pay.", "code": "insufficient_quota"}}', "Pay."),
        ("create", 400, '{"detail": "No such model."}', "No such model."),
        ("create", 403, "Forbidden, says the proxy.", "Forbidden, says the proxy."),
        ("poll", 404, "gone", "gone"),
    ],
)
def test_a_rejected_request_fails_the_run_with_the_message_of_the_server(
    runs: Runs, operation: str, status: int, body: str, message: str
) -> None:
    run = runs.run_script(Say("Never."), faults=[Fault(operation, status, body=body)]).run

    assert run["status"] == "failed"
    assert run["failure"] == {
        "status": "failed",
        "code": "RequestRejected",
        "message": f"{status}: {message}",
    }


@pytest.mark.parametrize(
    "fault",
    [
        Fault("create", 500),
        Fault("create", 0),
        Fault("poll", 503, body="<html>busy</html>"),
        Fault("poll", 429, headers={"retry-after": "1"}),
        Fault("poll", 429, headers={"retry-after": "4"}),
        Fault("poll", 0),
    ],
    ids=lambda fault: f"{fault.operation}-{fault.status}-{fault.headers.get('retry-after', '')}",
)
def test_a_run_completes_after_a_transient_failure(runs: Runs, fault: Fault) -> None:
    run = runs.run_script(Say("At last."), faults=[fault]).run

    assert run["status"] == "completed"
    assert run["message"] == "At last."


def test_a_connection_that_is_lost_while_outputs_are_submitted_does_not_add_a_round(runs: Runs) -> None:
    ended = runs.run_script(
        CallTools((Call("nothing", "{}"),)),
        Say("Done."),
        faults=[Fault("submit", 0)],
    )

    assert ended.run["status"] == "completed"
    assert ended.run["round"] == 1
