"""The client of the HTTP API: signatures that check out on the wire, lists in parts, answers that were lost."""

import io
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest
from botocore.credentials import Credentials
from rich.console import Console
from support.canned_server import canned
from support.iam_gateway import (
    CALLER,
    LOST,
    REGION,
    Gateway,
    gateway,
)
from support.raw_network import raw_server, silent
from werkzeug.wrappers import Response

from cli.backends.authentication import Bearer, Signed
from cli.backends.deployed import Stack
from cli.backends.follow_by_api import follow
from cli.backends.http_client import Api
from cli.errors import Problem
from cli.terminal.live_view import View
from local.openai_emulator import (
    Call,
    CallTools,
    Hang,
    Say,
)
from local.stack import LocalStack
from upcall.domain.run_request import RunRequest
from upcall.domain.views import RunSummary

AT_ONCE = (0.0, 0.0)
SIGNED = Signed(CALLER, REGION)


@pytest.fixture
def gate(laptop: LocalStack) -> Iterator[Gateway]:
    with gateway(laptop.addresses.api) as found:
        yield found


@pytest.fixture
def api(gate: Gateway) -> Iterator[Api]:
    with Api(gate.url, SIGNED, SIGNED.refused, AT_ONCE) as found:
        yield found


def off_a_terminal() -> Console:
    return Console(file=io.StringIO(), width=100, highlight=False, emoji=False)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_signed_run_gets_in_with_a_body_in_any_script_and_is_shown(api: Api, laptop: LocalStack) -> None:
    model = laptop.emulator.script(Say("Grüße, 世界 🙂"))
    run_id = api.start(RunRequest(prompt="Übersetze: 世界 🙂", model=model))

    run = api.run(run_id, wait=20)
    assert (run.prompt, run.message) == ("Übersetze: 世界 🙂", "Grüße, 世界 🙂")


def test_a_signed_request_with_an_empty_body_gets_in_and_a_run_is_cancelled_once(
    api: Api, laptop: LocalStack
) -> None:
    run_id = api.start(RunRequest(prompt="Go.", model=laptop.emulator.script(Hang())))

    assert api.cancel(run_id).status == "cancelled"
    with pytest.raises(Problem, match=f"run {run_id} has ended already: it is cancelled"):
        api.cancel(run_id)


def test_a_ledger_of_many_calls_comes_whole_through_signed_cursors(
    api: Api, gate: Gateway, laptop: LocalStack
) -> None:
    step = CallTools(tuple(Call.of("nothing", n=n) for n in range(12)))
    run_id = api.start(RunRequest(prompt="Go.", model=laptop.emulator.script(step, step, Say("Done."))))
    assert api.run(run_id, wait=20).tool_calls == 24

    ledger = api.calls(run_id)
    assert [(entry.round, entry.position) for entry in ledger] == [
        (round_, position) for round_ in (1, 2) for position in range(1, 13)
    ]
    first, second = (asked for asked in gate.let_in if "/calls" in asked)
    assert "cursor" not in first
    assert "cursor=0002%23" in second


def test_a_list_goes_on_over_its_parts_to_the_end_or_to_the_limit(api: Api, gate: Gateway) -> None:
    started = [api.start(RunRequest(prompt=f"Hello {n}.")) for n in range(2)]
    gate.let_in.clear()

    assert [run.run_id for run in api.runs(None, 2)] == started[::-1]
    assert len(gate.let_in) == 1
    every = [run.run_id for run in api.runs(None, 100_000)]
    assert every[:2] == started[::-1]
    assert len(every) == len(set(every))
    assert "cursor=run_0" in gate.let_in[-1]


def test_a_cursor_of_any_characters_is_signed_as_it_is_sent() -> None:
    parts = [{"calls": [], "next_cursor": "0001#a b+c/d~e'f=ü&*%41"}, {"calls": []}]
    with canned(*(Response(json.dumps(part)) for part in parts)) as server:
        with gateway(server.url) as gate, Api(gate.url, SIGNED) as api:
            assert api.calls("run_x") == []
    assert len(gate.let_in) == 2
    assert gate.refused == []


def test_session_credentials_are_signed_with_their_token(laptop: LocalStack) -> None:
    session = Credentials("ASIASESSION", "secret", "a//token+of/a=session")
    with gateway(laptop.addresses.api, session) as gate:
        with Api(gate.url, Signed(session, REGION)) as api:
            assert api.run(api.start(RunRequest(prompt="Hello.")), wait=20).status == "completed"
        for wrong in (
            Credentials("ASIASESSION", "secret"),
            Credentials("ASIASESSION", "secret", "another"),
            Credentials("ASIASESSION", "another", session.token),
        ):
            with Api(gate.url, Signed(wrong, REGION)) as api, pytest.raises(Problem, match="403"):
                list(api.runs(None, 1))


def test_the_gateway_lets_nobody_in_whose_signature_is_of_another_request(
    gate: Gateway, laptop: LocalStack
) -> None:
    """That the tests here could fail: what is signed is changed on the way, piece by piece."""
    url = httpx.URL(f"{gate.url}/runs?limit=1")

    def sent(method: str, to: str | httpx.URL, body: str, **headers: str) -> int:
        headers = {**{name: good.headers[name] for name in ("authorization", "x-amz-date")}, **headers}
        return httpx.request(method, to, content=body, headers=headers, trust_env=False).status_code

    (good,) = SIGNED.auth_flow(httpx.Request("POST", url, content="{}"))
    (elsewhere,) = Signed(CALLER, "us-east-1").auth_flow(httpx.Request("POST", url, content="{}"))

    assert sent("POST", url, "{}") == 400  # of the API, which wants a prompt
    assert {
        sent("PUT", url, "{}"),
        sent("POST", f"{gate.url}/runs?limit=2", "{}"),
        sent("POST", f"{gate.url}/run?limit=1", "{}"),
        sent("POST", url, "[]"),
        sent("POST", url, "{}", **{"x-amz-date": "20200101T000000Z"}),
        sent("POST", url, "{}", authorization=""),
        sent("POST", url, "{}", authorization=elsewhere.headers["authorization"]),
    } == {403}
    assert len(gate.let_in) == 1


@pytest.mark.parametrize("fault", [LOST, 503, 504, 429])
def test_a_start_whose_answer_is_lost_is_sent_again_and_starts_one_run(
    api: Api, gate: Gateway, fault: int
) -> None:
    gate.faults = [fault, fault]
    prompt = f"Hello once, whatever happens ({fault})."
    run_id = api.start(RunRequest(prompt=prompt))

    assert gate.let_in == ["POST /runs"] * 3
    assert len({headers["Idempotency-Key"] for headers in gate.headers}) == 1
    assert [run.run_id for run in api.runs(None, 100) if run.excerpt == prompt] == [run_id]


def test_two_starts_of_the_same_are_two_runs(api: Api) -> None:
    assert api.start(RunRequest(prompt="Hello.")) != api.start(RunRequest(prompt="Hello."))


def test_a_cancel_is_not_sent_again(api: Api, gate: Gateway, laptop: LocalStack) -> None:
    run_id = api.start(RunRequest(prompt="Go.", model=laptop.emulator.script(Hang())))
    gate.faults = [503]

    with pytest.raises(Problem, match="answers 503: Service Unavailable"):
        api.cancel(run_id)
    assert sum("cancel" in asked for asked in gate.let_in) == 1


def test_what_fails_for_good_is_said_after_the_last_try(api: Api, gate: Gateway) -> None:
    gate.faults = [503, LOST, 500]
    with pytest.raises(Problem, match=f"{gate.url} answers 500: Service Unavailable"):
        list(api.runs(None, 1))

    gate.faults = [LOST] * 3
    with pytest.raises(Problem, match=f"{gate.url} cannot be reached: "):
        list(api.runs(None, 1))


def test_a_server_that_is_silent_is_given_up() -> None:
    with raw_server(silent) as server, Api(server.url, pauses=(0,), timeout=0.2) as api:
        with pytest.raises(Problem, match=r"does not answer within 0\.2 s"):
            api.run("run_x")


def test_a_proxy_that_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://x")
    with pytest.raises(Problem, match="the variables that name a proxy or certificates are wrong"):
        Api("https://upcall.example")


def test_what_the_api_refuses_is_said_in_its_words_and_not_sent_again(api: Api, gate: Gateway) -> None:
    with pytest.raises(Problem, match="there is no run 'run_x'"):
        api.run("run_x")
    with pytest.raises(Problem, match="assistant: there is no assistant 'nobody'"):
        api.start(RunRequest(prompt="Go.", assistant="nobody"))
    assert len(gate.let_in) == 2


@pytest.mark.parametrize("run_id", ["", "..", "../health", "run_1/cancel", "run 1", "run_ü", "run_1?wait=1"])
def test_a_word_that_is_no_id_is_not_asked_for(api: Api, gate: Gateway, run_id: str) -> None:
    with pytest.raises(Problem, match=re.escape(f"there is no run {run_id!r}")):
        api.run(run_id)
    assert gate.let_in + gate.refused == []


def test_a_token_is_shown_to_the_api_as_it_is() -> None:
    with canned(Response('{"runs": []}')) as server, Api(server.url, Bearer("ey.J.x\n")) as api:
        assert list(api.runs(None, 1)) == []
    assert server.asked[0].headers["Authorization"] == "Bearer ey.J.x"
    for bad in ("tökén", "two\nlines"):
        with pytest.raises(Problem, match="characters that no token has"):
            Bearer(bad)


def test_a_stack_that_is_newer_may_tell_more() -> None:
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
    with canned(Response(json.dumps({"runs": [summary], "newer": 1}))) as server, Api(server.url) as api:
        assert list(api.runs(None, 1)) == [known]


@pytest.mark.parametrize("body", ["<html>", "[]", '{"runs": [{"run_id": "run_1"}]}'])
def test_what_is_not_upcalls_api_is_told(body: str) -> None:
    with canned(Response(body)) as server, Api(server.url) as api:
        with pytest.raises(Problem, match="does not answer as Upcall's API does"):
            list(api.runs(None, 1))


def test_a_watcher_sees_each_round_while_the_run_goes_on(api: Api, gate: Gateway, laptop: LocalStack) -> None:
    call = Call.of("fetch", url=f"{laptop.addresses.pages}/tides")
    run_id = api.start(
        RunRequest(prompt="Go.", model=laptop.emulator.script(CallTools((call, Call("no", "{"))), Hang()))
    )
    console = off_a_terminal()
    with View(console) as view, ThreadPoolExecutor(1) as pool, Api(gate.url, SIGNED) as own:
        following = pool.submit(follow, own, run_id, view, 1)
        while "Round 1" not in said(console):
            assert not following.done()
            time.sleep(0.02)
        assert api.run(run_id).status == "in_progress"
        api.cancel(run_id)
        outcome = following.result()

    assert (outcome.run.status, outcome.took, len(outcome.ledger)) == ("cancelled", None, 2)
    lines = said(console).splitlines()
    assert len(lines) == 3
    assert [line.split("  ")[-1].strip() for line in (lines[0], lines[2])] == [
        "Round 1",
        "There is no tool no. There is: fetch, read_object.",
    ]
    assert lines[1].endswith("KB")


def test_on_a_terminal_the_status_is_seen_while_the_run_goes_on(api: Api, laptop: LocalStack) -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    model = laptop.emulator.script(Say("Done.", after_seconds=0.3))
    outcome = Stack(api).run("Go.", {"model": model}, console)

    assert outcome.run.message == "Done."
    assert "queued" in said(console)
    assert api.url in said(console)
