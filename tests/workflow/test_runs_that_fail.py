"""A run that cannot end well ends all the same: with a terminal status, a reason, and an announcement."""

import pytest
from support.runs import Runs

from local.openai_emulator import (
    Call,
    CallTools,
    Fail,
    Fault,
    Say,
    StopShort,
)


def test_a_failure_upstream_is_told_in_the_servers_words(runs: Runs) -> None:
    ended = runs.follow(Fail("server_error", "The model is on fire."))

    assert ended.run["status"] == "failed"
    assert ended.run["failure"] == {
        "status": "failed",
        "code": "server_error",
        "message": "The model is on fire.",
    }
    assert "message" not in ended.run
    assert (ended.execution["status"], ended.execution["error"]) == ("FAILED", "server_error")


def test_an_incomplete_answer_is_incomplete_with_its_reason(runs: Runs) -> None:
    run = runs.follow(StopShort("max_output_tokens")).run

    assert run["status"] == "incomplete"
    assert run["failure"]["code"] == "max_output_tokens"


def test_a_model_that_never_stops_asking_reaches_the_limit_of_rounds(runs: Runs) -> None:
    run = runs.follow(CallTools((Call("nothing", "{}"),))).run

    assert run["status"] == "failed"
    assert run["round"] == 10
    assert run["failure"]["code"] == "limit_rounds"
    assert run["failure"]["message"] == "The model asked for tools again after 10 rounds."


@pytest.mark.parametrize(
    ("operation", "status", "body", "words"),
    [
        ("create", 401, '{"error": {"message": "No key.", "code": "invalid_api_key"}}', "No key."),
        ("create", 429, '{"error": {"message": "Pay.", "code": "insufficient_quota"}}', "Pay."),
        ("create", 400, '{"detail": "No such model."}', "No such model."),
        ("create", 403, "Forbidden, says the proxy.", "Forbidden, says the proxy."),
        ("poll", 404, "gone", "gone"),
    ],
)
def test_a_refusal_fails_the_run_at_once_in_the_servers_words(
    runs: Runs, operation: str, status: int, body: str, words: str
) -> None:
    run = runs.follow(Say("Never."), faults=[Fault(operation, status, body=body)]).run

    assert run["status"] == "failed"
    assert run["failure"] == {"status": "failed", "code": "RequestRejected", "message": f"{status}: {words}"}


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
def test_bad_weather_passes(runs: Runs, fault: Fault) -> None:
    run = runs.follow(Say("At last."), faults=[fault]).run

    assert run["status"] == "completed"
    assert run["message"] == "At last."


def test_a_cut_connection_while_outputs_are_submitted_repeats_the_round_once(runs: Runs) -> None:
    ended = runs.follow(
        CallTools((Call("nothing", "{}"),)),
        Say("Done."),
        faults=[Fault("submit", 0)],
    )

    assert ended.run["status"] == "completed"
    assert ended.run["round"] == 1
