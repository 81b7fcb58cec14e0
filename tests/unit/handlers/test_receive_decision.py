"""POST /runs/{run_id}/calls/{call}/decision: a person approves or denies exactly the arguments that were shown."""

from typing import Any

import pytest
from support.open_calls import REFUND, open_call
from support.run_records import NEXT_UPSTREAM_RUN, UPSTREAM_RUN, USAGE, answered_round, new_run
from support.wired_handlers import HttpResponse, WiredHandlers

from upcall.domain.run import Run

DIGEST = REFUND.arguments_digest


@pytest.fixture
def run(handlers: WiredHandlers) -> Run:
    """A run of ann's, one of whose calls waits for an approval."""
    run = handlers.repository.add_run(new_run(owner="ann", started_by="ann"))
    handlers.repository.open_call(run, open_call(since=handlers.clock.now()))
    return run


def decide(
    handlers: WiredHandlers, run: Run, decision: str = "approve", caller: str = "ann", **fields: Any
) -> HttpResponse:
    body = {"decision": decision, "arguments_digest": DIGEST, **fields}
    return handlers.request("receive_decision", run_id=run.run_id, body=body, caller=caller)


def test_a_decision_is_recorded_with_who_and_when(handlers: WiredHandlers, run: Run) -> None:
    response = decide(handlers, run, reason="Agreed.")

    assert response.status == 200
    assert response.json == {
        "decision": "approve",
        "reason": "Agreed.",
        "arguments_digest": DIGEST,
        "decided_by": "ann",
        "decided_at": handlers.clock.now().isoformat().replace("+00:00", "Z"),
    }
    answered = {"approved_digest": DIGEST, "output": None, "waited_seconds": 0}
    assert handlers.workflow.outputs == {"token 1": answered}


def test_the_same_decision_again_is_answered_alike_and_another_is_a_conflict(
    handlers: WiredHandlers, run: Run
) -> None:
    first, again, other, by_bob = (
        decide(handlers, run),
        decide(handlers, run),
        decide(handlers, run, "deny"),
        decide(handlers, run, caller="bob"),
    )

    assert (again.status, again.json) == (200, first.json)
    assert [other.status, by_bob.status] == [409, 409]
    assert "call 1-1 was approved already, by ann at " in other.json["detail"]


def test_a_decision_about_other_arguments_is_a_conflict(handlers: WiredHandlers, run: Run) -> None:
    response = decide(handlers, run, arguments_digest="0" * 64)

    assert response.status == 409
    assert handlers.repository.get_open_call(run, "1-1") == open_call(since=handlers.clock.now())


def test_a_call_that_the_run_has_gone_on_without_takes_no_decision(handlers: WiredHandlers, run: Run) -> None:
    """The workflow could not wait for it, and the model has read that."""
    handlers.repository.record_creation(run, UPSTREAM_RUN, "polled")
    handlers.repository.record_round(run, NEXT_UPSTREAM_RUN, answered_round(1, [REFUND]), USAGE)

    response = decide(handlers, run)

    assert response.status == 409
    assert response.json["detail"] == "call 1-1 waits no longer: the run has gone on without an answer"
    assert handlers.workflow.outputs == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"decision": "perhaps", "arguments_digest": DIGEST}, "decision"),
        ({"decision": "approve"}, "arguments_digest"),
        ({"decision": "approve", "arguments_digest": DIGEST.upper()}, "arguments_digest"),
        ({"decision": "deny", "arguments_digest": DIGEST, "reason": "x" * 1001}, "reason"),
        ({"decision": "deny", "arguments_digest": DIGEST, "by": "me"}, "by"),
    ],
)
def test_an_invalid_decision_is_rejected_by_its_fields_name(
    handlers: WiredHandlers, run: Run, body: dict[str, Any], field: str
) -> None:
    response = handlers.request("receive_decision", run_id=run.run_id, body=body)

    assert (response.status, response.invalid_fields) == (400, [field])


@pytest.mark.parametrize("count", [1, 2])
def test_a_list_of_decisions_is_no_decision(handlers: WiredHandlers, run: Run, count: int) -> None:
    body = [{"decision": "approve", "arguments_digest": DIGEST}] * count
    response = handlers.request("receive_decision", run_id=run.run_id, body=body)

    assert (response.status, response.json["detail"]) == (400, "body: Input should be an object")
    assert handlers.workflow.outputs == {}


def test_a_run_of_another_tenant_is_not_there(
    handlers: WiredHandlers, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENANCY", "many")

    other, missing = (
        decide(handlers, run, caller="bob"),
        handlers.request(
            "receive_decision",
            run_id="run_x",
            body={"decision": "deny", "arguments_digest": DIGEST},
            caller="bob",
        ),
    )

    assert (other.status, missing.status) == (404, 404)
    assert other.json["detail"].replace(run.run_id, "run_x") == missing.json["detail"]


def test_whoever_started_the_run_may_not_decide_if_four_eyes_are_needed(
    handlers: WiredHandlers, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOUR_EYES", "yes")

    assert [decide(handlers, run, caller=caller).status for caller in ("ann", "bob")] == [403, 200]


@pytest.mark.parametrize(
    ("claims", "approver_claim", "status"),
    [
        ({}, "cognito:groups=approvers", 403),
        ({"cognito:groups": "[staff approvers]"}, "cognito:groups=approvers", 200),
        ({"cognito:groups": "approvers"}, "cognito:groups=approvers", 200),
        ({"cognito:groups": "[staff no-approvers]"}, "cognito:groups=approvers", 403),
        ({"scope": "upcall/read upcall/approve"}, "scope=upcall/approve", 200),
        ({"scope": "upcall/read"}, "scope=upcall/approve", 403),
        ({"scope": "upcall/approve"}, "", 403),
        ({"scope": ""}, "scope=", 403),
    ],
)
def test_a_token_needs_the_claim_of_approvers(
    handlers: WiredHandlers,
    monkeypatch: pytest.MonkeyPatch,
    claims: dict[str, str],
    approver_claim: str,
    status: int,
) -> None:
    monkeypatch.setenv("APPROVER_CLAIM", approver_claim)
    run = handlers.repository.add_run(new_run())
    handlers.repository.open_call(run, open_call(since=handlers.clock.now()))
    identity = {"jwt": {"claims": {"iss": "https://issuer.example", "sub": "ann", **claims}}}

    response = handlers.request(
        "receive_decision",
        run_id=run.run_id,
        body={"decision": "approve", "arguments_digest": DIGEST},
        authorizer=identity,
    )

    assert response.status == status
    if status == 200:
        assert response.json["decided_by"] == "https://issuer.example|ann"
