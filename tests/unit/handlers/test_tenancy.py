"""Each caller sees its own runs only, unless the stack has one tenant. Callers are named by the authorizer."""

import pytest
from support.sample_events import sample_event
from support.wired_handlers import WiredHandlers

ANN, BOB = (f"arn:aws:iam::123456789012:user/{name}" for name in ("ann", "bob"))


@pytest.fixture
def many_tenants(handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch) -> WiredHandlers:
    monkeypatch.setenv("TENANCY", "many")
    return handlers


def start(handlers: WiredHandlers, caller: str, key: str | None = None) -> str:
    """The id of a new run of that caller."""
    headers = {"idempotency-key": key} if key else {}
    response = handlers.request("start_run", caller=caller, headers=headers)
    assert response.status == 202, response.json
    return str(response.json["run_id"])


def list_runs(handlers: WiredHandlers, caller: str, **query: str) -> list[str]:
    response = handlers.request("list_runs", caller=caller, query=query)
    assert response.status == 200, response.json
    return [run["run_id"] for run in response.json["runs"]]


def test_the_caller_is_recorded_with_the_run(many_tenants: WiredHandlers) -> None:
    assert many_tenants.repository.get_run(start(many_tenants, ANN)).owner == ANN


@pytest.mark.parametrize("handler", ["get_run", "list_calls", "list_events", "cancel_run", "retry_run"])
def test_the_run_of_another_caller_is_not_found(many_tenants: WiredHandlers, handler: str) -> None:
    run_id = start(many_tenants, ANN)

    response = many_tenants.request(handler, run_id=run_id, caller=BOB)
    assert (response.status, response.json["detail"]) == (404, f"there is no run {run_id!r}")
    assert many_tenants.repository.get_run(run_id).status == "queued"
    assert many_tenants.request(handler, run_id=run_id, caller=ANN).status != 404


def test_a_list_holds_the_callers_runs_only(many_tenants: WiredHandlers) -> None:
    anns, bobs = {start(many_tenants, ANN), start(many_tenants, ANN)}, {start(many_tenants, BOB)}

    assert set(list_runs(many_tenants, ANN)) == anns
    assert set(list_runs(many_tenants, BOB)) == bobs


def test_a_list_of_another_callers_runs_is_that_of_a_caller_who_has_none(many_tenants: WiredHandlers) -> None:
    anns, bobs = start(many_tenants, ANN), start(many_tenants, BOB)

    assert list_runs(many_tenants, BOB, owner=BOB) == [bobs]
    for owner in (ANN, "nobody"):
        response = many_tenants.request("list_runs", caller=BOB, query={"owner": owner})
        assert (response.status, response.json) == (200, {"runs": []})
    assert list_runs(many_tenants, BOB, owner=ANN, cursor="run_0fffffffffff", status="queued") == []
    assert list_runs(many_tenants, ANN, owner=ANN) == [anns]


def test_the_run_of_another_caller_cannot_be_continued(many_tenants: WiredHandlers) -> None:
    run_id = start(many_tenants, ANN)
    body = {"prompt": "Go on.", "previous_run_id": run_id}

    response = many_tenants.request("start_run", caller=BOB, body=body)

    assert response.status == 400
    assert response.json["errors"] == [{"field": "previous_run_id", "reason": f"there is no run {run_id!r}"}]


def test_the_same_key_of_two_callers_stands_for_two_runs(many_tenants: WiredHandlers) -> None:
    assert start(many_tenants, ANN, "a key") == start(many_tenants, ANN, "a key")
    assert start(many_tenants, ANN, "a key") != start(many_tenants, BOB, "a key")


def test_two_callers_whose_tokens_have_no_subject_do_not_see_each_others_runs(
    many_tenants: WiredHandlers,
) -> None:
    """Both are refused, instead of being the same caller."""
    event = sample_event("start_run")
    claims = {"iss": "https://issuer.test", "client_id": "a"}
    event["requestContext"]["authorizer"] = {"jwt": {"claims": claims}}

    response = many_tenants.invoke("start_run", event)

    assert response["statusCode"] == 403
    assert many_tenants.repository.list_runs(owner=None, status=None, limit=1).runs == ()


def test_in_a_stack_of_one_tenant_every_caller_sees_every_run(handlers: WiredHandlers) -> None:
    run_id = start(handlers, ANN)

    response = handlers.request("get_run", run_id=run_id, caller=BOB)

    assert (response.status, response.json["owner"]) == (200, ANN)
    assert list_runs(handlers, BOB) == [run_id]
    assert list_runs(handlers, BOB, owner=ANN) == [run_id]
    assert list_runs(handlers, BOB, owner=BOB) == []


def test_in_a_stack_of_one_tenant_the_caller_is_recorded_all_the_same(handlers: WiredHandlers) -> None:
    assert handlers.repository.get_run(start(handlers, ANN)).owner == ANN
