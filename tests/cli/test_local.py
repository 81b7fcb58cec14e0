"""`upcall local`: a stack that keeps running, for curl, for AWS tools and for the other commands."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from support.waiting import wait_until

from local.config import ROOT
from local.openai_emulator import Hang, Say
from local.stack import LocalStack

from .conftest import COMMAND, TIMEOUT_SECONDS, Upcall, one_line_error


@contextmanager
def local_command(environment: dict[str, str], stop: signal.Signals) -> Iterator[dict[str, Any]]:
    """The endpoints that `upcall local` prints. It runs until it gets the signal."""
    command = [*COMMAND, "local", "--json", "--api-port", "0", "--aws-port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = ""
    while not printed.endswith("}\n"):
        line = process.stdout.readline()
        assert line, f"upcall local has ended with {process.wait(TIMEOUT_SECONDS)}"
        printed += line
    try:
        yield json.loads(printed)
    finally:
        process.send_signal(stop)
        assert process.wait(TIMEOUT_SECONDS) == (-stop if stop == signal.SIGKILL else 0)
        process.stdout.close()


@pytest.fixture(scope="module")
def endpoints(environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A local stack that the other commands find. It is stopped as a service manager does it."""
    with local_command(environment, signal.SIGTERM) as running:
        yield running


def wait_for_message(endpoints: dict[str, Any], location: str) -> str:
    """The message of a run. Asserts that it is completed."""
    run = wait_until(lambda: ended_run(endpoints, location), f"the end of {location}", TIMEOUT_SECONDS)
    assert run["status"] == "completed"
    return str(run["message"])


def ended_run(endpoints: dict[str, Any], location: str) -> dict[str, Any]:
    """The run if it has ended, otherwise an empty dict."""
    run: dict[str, Any] = httpx.get(f"{endpoints['api']}{location}?wait=20", timeout=30).json()
    return run if run["status"] not in ("queued", "in_progress") else {}


def test_a_post_is_accepted_and_its_location_shows_the_run_to_the_end(endpoints: dict[str, Any]) -> None:
    prompt = f"Summarise {endpoints['pages']}/bread"
    accepted = httpx.post(f"{endpoints['api']}/runs", json={"prompt": prompt})

    assert accepted.status_code == 202
    assert "dough" in wait_for_message(endpoints, accepted.headers["location"])


def test_aws_tools_see_the_table_and_the_workflow(endpoints: dict[str, Any]) -> None:
    access: Any = {
        "endpoint_url": endpoints["aws"],
        "region_name": "us-east-1",
        "aws_access_key_id": "any",
        "aws_secret_access_key": "any",
    }
    assert boto3.client("dynamodb", **access).list_tables()["TableNames"] == [endpoints["table"]]
    machines = boto3.client("stepfunctions", **access).list_state_machines()["stateMachines"]
    assert endpoints["state_machine"] in {machine["stateMachineArn"] for machine in machines}


def test_the_console_is_served_at_an_address_with_its_token(endpoints: dict[str, Any]) -> None:
    url, _, token = endpoints["console"].partition("/#token=")

    assert httpx.get(url).headers["Content-Type"] == "text/html; charset=utf-8"
    assert httpx.get(f"{url}/api/runs").status_code == 403
    session = httpx.get(f"{url}/console/session", headers={"X-Console-Token": token}).json()
    assert session == {
        "stack": "local",
        "region": None,
        "address": endpoints["api"],
        "tenancy": "one",
    }


def test_other_commands_use_the_running_stack(endpoints: dict[str, Any], upcall: Upcall) -> None:
    run = upcall("run", "Hello.", "--json")

    assert run.returncode == 0, run.stderr
    run_id = json.loads(run.stdout)["run_id"]
    assert httpx.get(f"{endpoints['api']}/runs/{run_id}").json()["status"] == "completed"
    assert run_id in upcall("list").stdout
    assert run_id in upcall("list", "--caller", "anybody", "--status", "completed").stdout
    assert upcall("list", "--caller", "nobody").stdout == ""
    assert one_line_error(upcall("list", "--caller", "")) == "upcall: --caller needs a name"
    assert upcall("show", run_id).returncode == 0


def test_the_sweeper_is_triggered_by_hand(endpoints: dict[str, Any], upcall: Upcall) -> None:
    assert endpoints
    assert upcall("trigger", "sweep").stdout.splitlines() == [
        "runs: open 0, resumed 0, enqueued 0, answered 0",
        "batches: open 0, restarted 0, cancelled 0, given up 0",
    ]
    assert one_line_error(upcall("trigger", "cannon")) == (
        "upcall: cannot trigger 'cannon'; there is schedule, sweep"
    )


def test_a_second_stack_with_the_same_state_is_a_one_line_error(
    endpoints: dict[str, Any], upcall: Upcall
) -> None:
    second = upcall("local")

    assert second.returncode == 2
    assert second.stderr.strip() == f"upcall: a local stack is running already, at {endpoints['api']}"


def test_a_port_in_use_is_a_one_line_error(endpoints: dict[str, Any], upcall: Upcall, tmp_path: Path) -> None:
    port = endpoints["api"].rpartition(":")[2]
    second = upcall("local", "--api-port", port, "--aws-port", "0", UPCALL_STATE_FOLDER=str(tmp_path))

    assert second.returncode == 2
    assert second.stderr.strip().startswith(f"upcall: port {port} is in use")
    assert second.stderr.strip().endswith("choose another one with --api-port or --aws-port")


def test_a_run_is_cancelled_by_the_command_and_only_once(
    upcall: Upcall, environment: dict[str, str], local_stack: LocalStack, tmp_path: Path
) -> None:
    variables = {"UPCALL_STATE_FOLDER": str(tmp_path), "OPENAI_BASE_URL": local_stack.emulator.base_url}
    model = local_stack.emulator.script(Hang())
    with local_command({**environment, **variables}, signal.SIGINT) as running:
        accepted = httpx.post(f"{running['api']}/runs", json={"prompt": "Go.", "model": model})
        run_id = accepted.json()["run_id"]

        cancelled = upcall("cancel", run_id, **variables)
        assert (cancelled.returncode, cancelled.stdout) == (0, f"{run_id} is cancelled\n")
        assert httpx.get(f"{running['api']}/runs/{run_id}").json()["status"] == "cancelled"
        again = upcall("cancel", run_id, **variables)
        assert again.returncode == 2
        assert again.stderr == f"upcall: run {run_id} has ended already: it is cancelled\n"


def test_a_run_is_saved_though_the_stack_was_killed(
    upcall: Upcall, environment: dict[str, str], tmp_path: Path
) -> None:
    """The stack saves every second, and cannot save when it is killed."""
    state = {"UPCALL_STATE_FOLDER": str(tmp_path)}
    with local_command({**environment, **state}, signal.SIGKILL) as running:
        location = httpx.post(f"{running['api']}/runs", json={"prompt": "Hello."}).headers["location"]
        wait_for_message(running, location)
        table_file = tmp_path / "table.jsonl"
        wait_until(lambda: table_file.exists() and '"completed"' in table_file.read_text("utf-8"), "the save")

    listed = upcall("list", **state)
    assert location.removeprefix("/runs/") in listed.stdout
    assert "completed" in listed.stdout


def test_a_batch_goes_on_when_the_stack_that_was_killed_is_started_again(
    environment: dict[str, str], local_stack: LocalStack, tmp_path: Path
) -> None:
    """By itself: nobody has to send it again."""
    variables = {"UPCALL_STATE_FOLDER": str(tmp_path), "OPENAI_BASE_URL": local_stack.emulator.base_url}
    done, late = (local_stack.emulator.script(say) for say in (Say("Done."), Say("Late.", after_seconds=5)))
    inputs = [{"prompt": "Go.", "model": model} for model in (done, late)]
    with local_command({**environment, **variables}, signal.SIGKILL) as running:
        accepted = httpx.post(f"{running['api']}/batches", json={"inputs": inputs})
        path = f"/batches/{accepted.json()['batch_id']}"
        table_file = tmp_path / "table.jsonl"
        wait_until(lambda: table_file.exists() and '"Done."' in table_file.read_text("utf-8"), "the save")

    with local_command({**environment, **variables}, signal.SIGTERM) as running:

        def has_ended() -> bool:
            status: str = httpx.get(f"{running['api']}{path}").json()["status"]
            return status == "completed"

        wait_until(has_ended, f"the end of {path}", TIMEOUT_SECONDS)
        (file,) = httpx.get(f"{running['api']}{path}/results").json()["files"]
        results = [json.loads(line) for line in httpx.get(file["url"]).text.splitlines()]
    assert [each["message"] for each in results] == ["Done.", "Late."]
    assert [len(local_stack.emulator.models.conversations[model]) for model in (done, late)] == [1, 1]


def test_a_stack_for_containers_needs_docker(upcall: Upcall, tmp_path: Path) -> None:
    variables = {"UPCALL_STATE_FOLDER": str(tmp_path), "PATH": str(tmp_path)}

    assert one_line_error(upcall("local", "--sam", **variables)) == (
        "upcall: there is no command docker on this machine"
    )
