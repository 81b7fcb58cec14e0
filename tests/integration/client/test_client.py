"""The client of the HTTP API: signatures, retries, pages of lists, and errors."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.credentials import Credentials
from support.canned_server import canned_server
from support.fakes.clock import START
from support.iam_gateway import CALLER, DROPPED, REGION, IamGateway, iam_gateway
from support.raw_server import never_respond, raw_server
from support.run_records import new_run
from werkzeug.wrappers import Response

from local.openai_emulator import Call, CallTools, Hang, Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.client import (
    ApiError,
    BearerAuth,
    ClientError,
    ConnectionLost,
    IamAuth,
    UpcallClient,
    http_api,
)
from upcall.domain.run_request import RunRequest
from upcall.domain.views import RunSummary

NO_DELAYS = (0.0, 0.0)
AUTH = IamAuth(CALLER, REGION)


@pytest.fixture
def gateway(local_stack: LocalStack) -> Iterator[IamGateway]:
    with iam_gateway(local_stack.endpoints.api) as started:
        yield started


@pytest.fixture
def api(gateway: IamGateway) -> Iterator[UpcallClient]:
    with UpcallClient(gateway.url, AUTH, AUTH.hint, NO_DELAYS) as client:
        yield client


def test_a_signed_run_may_have_a_prompt_in_any_script(api: UpcallClient, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(Say("Grüße, 世界 🙂"))
    run_id = api.start_run(RunRequest(prompt="Übersetze: 世界 🙂", model=model))

    run = api.get_run(run_id, wait=20)
    assert (run.prompt, run.message) == ("Übersetze: 世界 🙂", "Grüße, 世界 🙂")


def test_a_signed_request_may_have_an_empty_body_and_cancels_a_run_once(
    api: UpcallClient, local_stack: LocalStack
) -> None:
    run_id = api.start_run(RunRequest(prompt="Go.", model=local_stack.emulator.script(Hang())))

    assert api.cancel_run(run_id).status == "cancelled"
    with pytest.raises(ClientError, match=f"run {run_id} has ended already: it is cancelled"):
        api.cancel_run(run_id)


def test_all_pages_of_a_long_ledger_are_read_with_signed_cursors(
    api: UpcallClient, gateway: IamGateway, local_stack: LocalStack
) -> None:
    step = CallTools(tuple(Call.of("nothing", n=n) for n in range(12)))
    run_id = api.start_run(
        RunRequest(prompt="Go.", model=local_stack.emulator.script(step, step, Say("Done.")))
    )
    assert api.get_run(run_id, wait=20).tool_calls == 24

    ledger = api.list_calls(run_id)
    assert [(entry.round, entry.position) for entry in ledger] == [
        (round_, position) for round_ in (1, 2) for position in range(1, 13)
    ]
    first, second = (request for request in gateway.accepted if "/calls" in request)
    assert "cursor" not in first
    assert "cursor=0002%23" in second


def test_pages_of_a_list_are_read_to_the_end_or_to_the_limit(
    api: UpcallClient, gateway: IamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = [api.start_run(RunRequest(prompt=f"Hello {n}.")) for n in range(3)]
    gateway.accepted.clear()

    assert [run.run_id for run in api.list_runs(None, 3)] == started[::-1]
    assert len(gateway.accepted) == 1
    every = [run.run_id for run in api.list_runs(None, 100_000)]
    assert every[:3] == started[::-1]
    assert len(every) == len(set(every))
    monkeypatch.setattr(http_api, "MAX_PAGE_SIZE", 2)
    assert [run.run_id for run in api.list_runs(None, 3)] == started[::-1]
    assert "cursor=run_0" in gateway.accepted[-1]


@pytest.mark.parametrize("owner", ["arn:aws:iam::1:user/a,b+c=d@e", "https://issuer.test/|%7C ü&x=1#y"])
def test_runs_of_one_caller_are_listed_whatever_its_name_is(
    api: UpcallClient, repository: DynamoDBRunRepository, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [repository.add_run(new_run(owner=owner, created_at=START + timedelta(n))) for n in range(3)]
    ids = [run.run_id for run in reversed(runs)]
    monkeypatch.setattr(http_api, "MAX_PAGE_SIZE", 2)

    assert [run.run_id for run in api.list_runs(None, 100, owner=owner)] == ids
    assert [run.run_id for run in api.list_runs("queued", 2, owner=owner)] == ids[:2]
    assert list(api.list_runs(None, 100, owner=f"{owner}e")) == []
    with pytest.raises(ApiError, match="owner: String should have at most 256 characters"):
        list(api.list_runs(None, 1, owner="x" * 257))


def test_a_cursor_with_any_characters_is_signed_as_it_is_sent() -> None:
    parts = [{"calls": [], "next_cursor": "0001#a b+c/d~e'f=ü&*%41"}, {"calls": []}]
    with canned_server(*(Response(json.dumps(part)) for part in parts)) as server:
        with iam_gateway(server.url) as gateway, UpcallClient(gateway.url, AUTH) as api:
            assert api.list_calls("run_x") == []
    assert len(gateway.accepted) == 2
    assert gateway.rejected == []


def test_temporary_credentials_are_signed_with_their_token(local_stack: LocalStack) -> None:
    temporary = Credentials("ASIASESSION", "secret", "a//token+of/a=session")
    with iam_gateway(local_stack.endpoints.api, temporary) as gateway:
        with UpcallClient(gateway.url, IamAuth(temporary, REGION)) as api:
            assert api.get_run(api.start_run(RunRequest(prompt="Hello.")), wait=20).status == "completed"
        for wrong in (
            Credentials("ASIASESSION", "secret"),
            Credentials("ASIASESSION", "secret", "another"),
            Credentials("ASIASESSION", "another", temporary.token),
        ):
            with (
                UpcallClient(gateway.url, IamAuth(wrong, REGION)) as api,
                pytest.raises(ClientError, match="403"),
            ):
                list(api.list_runs(None, 1))


def test_the_gateway_of_these_tests_rejects_a_signature_of_another_request(
    gateway: IamGateway, local_stack: LocalStack
) -> None:
    """Each part of the signed request is changed on its way."""
    url = httpx.URL(f"{gateway.url}/runs?limit=1")

    def send(method: str, to: str | httpx.URL, body: str, **headers: str) -> int:
        headers = {**{name: good.headers[name] for name in ("authorization", "x-amz-date")}, **headers}
        return httpx.request(method, to, content=body, headers=headers, trust_env=False).status_code

    (good,) = AUTH.auth_flow(httpx.Request("POST", url, content="{}"))
    (elsewhere,) = IamAuth(CALLER, "us-east-1").auth_flow(httpx.Request("POST", url, content="{}"))

    assert send("POST", url, "{}") == 400  # of the API, which requires a prompt
    assert {
        send("PUT", url, "{}"),
        send("POST", f"{gateway.url}/runs?limit=2", "{}"),
        send("POST", f"{gateway.url}/run?limit=1", "{}"),
        send("POST", url, "[]"),
        send("POST", url, "{}", **{"x-amz-date": "20200101T000000Z"}),
        send("POST", url, "{}", authorization=""),
        send("POST", url, "{}", authorization=elsewhere.headers["authorization"]),
    } == {403}
    assert len(gateway.accepted) == 1


@pytest.mark.parametrize("fault", [DROPPED, 503, 504, 429])
def test_a_start_whose_response_is_lost_is_repeated_and_starts_one_run(
    api: UpcallClient, gateway: IamGateway, fault: int
) -> None:
    gateway.faults = [fault, fault]
    prompt = f"Hello once, whatever happens ({fault})."
    run_id = api.start_run(RunRequest(prompt=prompt))

    assert gateway.accepted == ["POST /runs"] * 3
    assert len({headers["Idempotency-Key"] for headers in gateway.headers}) == 1
    assert [run.run_id for run in api.list_runs(None, 100) if run.excerpt == prompt] == [run_id]


def test_two_starts_of_the_same_request_are_two_runs(api: UpcallClient) -> None:
    assert api.start_run(RunRequest(prompt="Hello.")) != api.start_run(RunRequest(prompt="Hello."))


def test_a_cancel_is_not_repeated(api: UpcallClient, gateway: IamGateway, local_stack: LocalStack) -> None:
    run_id = api.start_run(RunRequest(prompt="Go.", model=local_stack.emulator.script(Hang())))
    gateway.faults = [503]

    with pytest.raises(ClientError, match="responded with 503: Service Unavailable"):
        api.cancel_run(run_id)
    assert sum("cancel" in request for request in gateway.accepted) == 1


def test_the_last_error_is_reported_after_the_last_retry(api: UpcallClient, gateway: IamGateway) -> None:
    gateway.faults = [503, DROPPED, 500]
    with pytest.raises(ClientError, match=f"{gateway.url} responded with 500: Service Unavailable"):
        list(api.list_runs(None, 1))

    gateway.faults = [DROPPED] * 3
    with pytest.raises(ConnectionLost, match=f"{gateway.url} cannot be reached: "):
        list(api.list_runs(None, 1))


def test_a_server_that_does_not_respond_is_given_up() -> None:
    with raw_server(never_respond) as server, UpcallClient(server.url, retry_delays=(0,), timeout=0.2) as api:
        with pytest.raises(ClientError, match=r"did not respond within 0\.2 s"):
            api.get_run("run_x")


def test_an_invalid_proxy_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://x")
    with pytest.raises(ClientError, match="proxy or certificate settings are invalid"):
        UpcallClient("https://upcall.example")


def test_an_error_of_the_api_is_reported_with_its_message_and_not_repeated(
    api: UpcallClient, gateway: IamGateway
) -> None:
    with pytest.raises(ApiError, match="there is no run 'run_x'") as caught:
        api.get_run("run_x")
    assert (caught.value.status, caught.value.detail) == (404, "there is no run 'run_x'")
    with pytest.raises(ClientError, match="assistant: there is no assistant 'nobody'"):
        api.start_run(RunRequest(prompt="Go.", assistant="nobody"))
    assert len(gateway.accepted) == 2


@pytest.mark.parametrize("run_id", ["", "..", "../health", "run_1/cancel", "run 1", "run_ü", "run_1?wait=1"])
def test_text_that_cannot_be_a_run_id_is_not_requested(run_id: str) -> None:
    with canned_server(Response("{}")) as server, UpcallClient(server.url) as api:
        with pytest.raises(ClientError, match=re.escape(f"there is no run {run_id!r}")):
            api.get_run(run_id)
    assert server.requests == []


def test_a_token_is_sent_as_it_is() -> None:
    with (
        canned_server(Response('{"runs": []}')) as server,
        UpcallClient(server.url, BearerAuth("ey.J.x\n")) as api,
    ):
        assert list(api.list_runs(None, 1)) == []
    assert server.requests[0].headers["Authorization"] == "Bearer ey.J.x"
    for bad in ("tökén", "two\nlines"):
        with pytest.raises(ClientError, match="contains characters that are not allowed in a token"):
            BearerAuth(bad)


def test_fields_of_a_newer_stack_are_ignored() -> None:
    known = RunSummary(
        run_id="run_1",
        status="queued",
        excerpt="x",
        assistant="a",
        model="m",
        round=0,
        created_at=datetime.now(UTC),
    )
    summary = {**known.model_dump(mode="json"), "newer": {"than": "this"}}
    with (
        canned_server(Response(json.dumps({"runs": [summary], "newer": 1}))) as server,
        UpcallClient(server.url) as api,
    ):
        assert list(api.list_runs(None, 1)) == [known]


@pytest.mark.parametrize("body", ["<html>", "[]", '{"runs": [{"run_id": "run_1"}]}'])
def test_another_api_is_reported(body: str) -> None:
    with canned_server(Response(body)) as server, UpcallClient(server.url) as api:
        with pytest.raises(ClientError, match="is not that of an Upcall API"):
            list(api.list_runs(None, 1))
