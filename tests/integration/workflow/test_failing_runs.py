"""A run that cannot complete ends with a terminal status and a reason. Transient failures do not end it."""

import pytest
from support.runs import Runs

from local.openai_emulator import Call, CallTools, EndIncomplete, Fail, Fault, Say
from upcall.domain.upstream_errors import MAX_ERRORS


def test_a_failure_upstream_has_the_message_of_the_server(runs: Runs) -> None:
    ended = runs.run_script(Fail("invalid_prompt", "The model is on fire."))

    assert ended.run["status"] == "failed"
    assert ended.run["failure"] == {
        "status": "failed",
        "code": "invalid_prompt",
        "message": "The model is on fire.",
    }
    assert "message" not in ended.run
    assert (ended.execution["status"], ended.execution["error"]) == ("FAILED", "invalid_prompt")


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
        ("poll", 410, "gone", "gone"),
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
        Fault("poll", 404, body='{"error": {"message": "No response found."}}'),
        Fault("poll", 200, body="{}"),
        Fault("poll", 200, body="<html>Please wait.</html>"),
        Fault("poll", 200, body='{"error": {"message": "overloaded"}}'),
        Fault("create", 200, body='{"detail": "overloaded"}'),
        Fault("poll", 0),
    ],
    ids=lambda fault: f"{fault.operation}-{fault.status}-{fault.headers.get('retry-after', '')}",
)
def test_a_run_completes_after_a_transient_failure(runs: Runs, fault: Fault) -> None:
    run = runs.run_script(Say("At last."), faults=[fault]).run

    assert run["status"] == "completed"
    assert run["message"] == "At last."


@pytest.mark.parametrize(
    ("fault", "last_error"),
    [
        (Fault("create", 503, body='{"error": {"message": "busy"}}'), "503: busy"),
        (Fault("poll", 404, body="gone"), "404: gone"),
        (Fault("poll", 200, body='{"error": "overloaded"}'), "but with an error: overloaded"),
        (Fault("poll", 200, body="<html>"), "but not with a JSON object"),
        (
            Fault("poll", 0),
            "no answer (RemoteProtocolError: Server disconnected without sending a response.)",
        ),
        (Fault("submit", 500, body='{"error": {"message": "broken"}}'), "500: broken"),
    ],
    ids=lambda value: f"{value.operation}-{value.status}" if isinstance(value, Fault) else None,
)
@pytest.mark.parametrize("run_api", ["responses", "assistants", "agents"])
def test_errors_in_a_row_end_the_run_with_the_last_one_in_the_words_of_the_server(
    runs: Runs, run_api: str, fault: Fault, last_error: str
) -> None:
    call = CallTools((Call("nothing", "{}"),))
    ended = runs.run_script(call, Say("Never."), faults=[fault] * MAX_ERRORS, run_api=run_api)

    failure = ended.run["failure"]
    assert (ended.run["status"], failure["code"]) == ("failed", "upstream_error")
    assert failure["message"].startswith("7 requests to the server failed in a row. The last error: ")
    assert failure["message"].endswith(last_error)
    assert ended.execution["error"] == "upstream_error"


def test_fewer_errors_in_a_row_do_not_end_the_run(runs: Runs) -> None:
    faults = [Fault(operation, 503) for operation in ("create", "poll", "submit")] * (MAX_ERRORS - 1)
    ended = runs.run_script(CallTools((Call("nothing", "{}"),)), Say("At last."), faults=faults)

    assert (ended.run["status"], ended.run["message"]) == ("completed", "At last.")


def test_a_message_that_is_empty_is_a_failure(runs: Runs) -> None:
    run = runs.run_script(Say("")).run

    assert (run["status"], run["failure"]["code"]) == ("failed", "no_message")


def test_a_connection_that_is_lost_while_outputs_are_submitted_does_not_add_a_round(runs: Runs) -> None:
    ended = runs.run_script(
        CallTools((Call("nothing", "{}"),)),
        Say("Done."),
        faults=[Fault("submit", 0)],
    )

    assert ended.run["status"] == "completed"
    assert ended.run["round"] == 1
