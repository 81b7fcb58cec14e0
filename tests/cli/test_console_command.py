"""`upcall console`: the console of the local stack and of a deployed one, for as long as the command runs."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.iam_gateway import IamGateway
from support.waiting import wait_until

from cli.console.browser import open_browser
from cli.console.samples import start_samples
from local.config import ROOT
from local.stack import LocalStack
from upcall.client import UpcallClient

from .conftest import COMMAND, STACK, TIMEOUT_SECONDS, Upcall, one_line_error


@contextmanager
def console_command(environment: dict[str, str], *options: str) -> Iterator[httpx.Client]:
    """A client of the console that `upcall console` serves, with its token. The command is interrupted at the end."""
    command = [*COMMAND, "console", *options]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, f"upcall console has ended with {process.wait(TIMEOUT_SECONDS)}"
    url, _, token = address.partition("/#token=")
    with httpx.Client(
        base_url=url, headers={"X-Console-Token": token}, timeout=40, trust_env=False
    ) as client:
        yield client
    process.send_signal(signal.SIGINT)
    assert process.wait(TIMEOUT_SECONDS) == 0
    process.stdout.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


@pytest.fixture
def running_stack(environment: dict[str, str], local_stack: LocalStack, tmp_path: Path) -> dict[str, str]:
    """The variables of a user whose running local stack is that of all tests."""
    (tmp_path / "running.json").write_text(json.dumps(asdict(local_stack.endpoints)), "utf-8")
    return {**environment, "UPCALL_STATE_FOLDER": str(tmp_path)}


def test_the_running_local_stack_is_shown(running_stack: dict[str, str], local_stack: LocalStack) -> None:
    with console_command(running_stack, "--no-open") as client:
        assert client.get("/").headers["Content-Type"] == "text/html; charset=utf-8"
        assert client.get("/console/session").json()["address"] == local_stack.endpoints.api
        started = client.post("/api/runs", json={"prompt": "Hello."}).json()
        assert client.get(f"/api/runs/{started['run_id']}?wait=20").json()["status"] == "completed"
        assert client.get("/console/health").json()["unknown"] == []
        arguments = {"url": f"{local_stack.endpoints.pages}/bread"}
        tried = client.post("/console/tools/fetch/call", json={"arguments": arguments})
        assert tried.json()["outcome"] == "ok", tried.text


def test_without_a_running_stack_one_is_started_with_the_runs_that_were_saved(
    environment: dict[str, str], upcall: Upcall, tmp_path: Path
) -> None:
    state = {"UPCALL_STATE_FOLDER": str(tmp_path)}
    run = upcall("run", "Hello.", "--json", **state)
    run_id = json.loads(run.stdout)["run_id"]

    with console_command({**environment, **state}, "--no-open") as client:
        assert client.get(f"/api/runs/{run_id}").json()["status"] == "completed"
        started = client.post("/api/runs", json={"prompt": "Hello again."}).json()
        assert client.get(f"/api/runs/{started['run_id']}?wait=20").json()["status"] == "completed"

    assert started["run_id"] in upcall("list", **state).stdout


def test_a_run_that_waits_goes_on_after_a_restart(environment: dict[str, str], tmp_path: Path) -> None:
    """Its execution has ended with the local stack that it ran on."""
    variables = {**environment, "UPCALL_STATE_FOLDER": str(tmp_path)}

    def waiting_run(client: httpx.Client) -> dict[str, Any] | None:
        listed = client.get("/api/runs?status=requires_action").json()["runs"]
        return client.get(f"/api/runs/{listed[0]['run_id']}").json() if listed else None

    with console_command(variables, "--no-open", "--samples") as client:
        run = wait_until(lambda: waiting_run(client), "the call that waits", TIMEOUT_SECONDS)
    with console_command(variables, "--no-open") as client:
        (call,) = run["open_calls"]
        decision = {"decision": "approve", "arguments_digest": call["arguments_digest"]}
        path = f"/api/runs/{run['run_id']}"
        assert client.post(f"{path}/calls/{call['id']}/decision", json=decision).status_code == 200
        ended = wait_until(
            lambda: (found := client.get(f"{path}?wait=20").json())["status"] == "completed" and found,
            "the end",
            TIMEOUT_SECONDS,
        )
    assert ended["message"].endswith("notify answered: The message was sent.")


@pytest.mark.usefixtures("stacks")
def test_requests_for_a_deployed_stack_are_signed(
    environment: dict[str, str], user: dict[str, str], gateway: IamGateway
) -> None:
    gateway.accepted.clear()
    with console_command({**environment, **user}, "--stack", STACK, "--no-open") as client:
        session = client.get("/console/session").json()
        assert session == {
            "stack": STACK,
            "region": "eu-central-1",
            "address": gateway.url,
            "tenancy": "many",
        }
        assert client.get("/api/runs?limit=1").status_code == 200
        health = client.get("/console/health").json()

    assert gateway.accepted == ["GET /runs?limit=1"]
    assert health["dead_letters"] == []
    assert f"the stack {STACK} has no RunTable: it is not a stack of Upcall" in health["unknown"]


def test_a_token_takes_the_place_of_credentials(environment: dict[str, str], gateway: IamGateway) -> None:
    options = ("--stack", gateway.url, "--token", "ey.J.x", "--no-open")
    with console_command(environment, *options) as client:
        assert client.get("/api/runs").status_code == 403  # this gateway takes signatures only
    assert gateway.rejected.pop() == "GET /runs"


def test_what_cannot_be_shown_is_a_one_line_error(
    upcall: Upcall, running_stack: dict[str, str], gateway: IamGateway
) -> None:
    samples = ("console", "--samples", "--stack", gateway.url, "--token", "ey.J.x")
    assert one_line_error(upcall(*samples)) == (
        "upcall: --samples is for a local stack with the emulator: its model knows them"
    )
    assert one_line_error(upcall("console", "--stack", "http://example.com")).startswith(
        "upcall: the URL of a stack must begin with https://"
    )
    with console_command(running_stack, "--no-open") as client:
        port = str(client.base_url.port)
        state = {"UPCALL_STATE_FOLDER": running_stack["UPCALL_STATE_FOLDER"]}
        assert one_line_error(upcall("console", "--no-open", "--port", port, **state)) == (
            f"upcall: port {port} is in use: choose another one with --port"
        )


def test_the_browser_is_opened_at_the_address(running_stack: dict[str, str], tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.new\nmv {opened}.new {opened}\n', "utf-8")
    program.chmod(0o755)

    with console_command({**running_stack, "BROWSER": str(program)}) as client:
        wait_until(opened.exists, "the browser")
        assert opened.read_text("utf-8") == f"{client.base_url}/#token={client.headers['X-Console-Token']}"


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="there is always a display")
def test_without_a_display_no_browser_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("a browser in the terminal"))

    assert not open_browser("http://127.0.0.1:1")


def test_a_browser_that_cannot_be_started_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> bool:
        raise OSError("no such program")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", fail)

    assert not open_browser("http://127.0.0.1:1")


def test_samples_are_runs_of_each_kind_and_are_started_once(local_stack: LocalStack) -> None:
    endpoints = local_stack.endpoints
    with UpcallClient(endpoints.api) as client:

        def samples() -> dict[str, str]:
            views = (client.get_run(run.run_id) for run in client.list_runs(None, 50))
            return {view.metadata["sample"]: view.run_id for view in views if "sample" in view.metadata}

        start_samples(endpoints.api, endpoints.pages)
        started = samples()
        start_samples(endpoints.api, endpoints.pages)

        assert samples() == started
        ended = {
            name: client.follow(run_id) for name, run_id in started.items() if name != "with an approval"
        }
        assert {name: (run.status, run.round) for name, run in ended.items()} == {
            "of two pages": ("completed", 1),
            "of two rounds": ("completed", 2),
            "over its limit": ("failed", 0),
        }
        waiting = wait_until(
            lambda: client.get_run(started["with an approval"]).open_calls,
            "the call that waits",
            TIMEOUT_SECONDS,
        )
        assert [(call.id, call.name) for call in waiting] == [("2-1", "notify")]
        batch = next(batch for batch in client.list_batches(50) if batch.metadata == {"sample": "batch"})
        counts = client.follow_batch(batch.batch_id, max_pause_seconds=0.1).counts
        assert (counts.completed, counts.failed) == (4, 1)
        client.cancel_run(started["with an approval"])
