"""`upcall local`: a cloud that stays, for curl, for AWS tools and for the other commands."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from support.sample_events import message

from local.config import ROOT
from local.openai_emulator import Hang
from local.stack import LocalStack

from .conftest import PATIENCE_SECONDS, Upcall, problem


@contextmanager
def kept_up(environment: dict[str, str], stop: signal.Signals) -> Iterator[dict[str, Any]]:
    """The addresses of a laptop cloud that is up until it gets a signal."""
    command = [sys.executable, "-m", "cli.main", "local", "--json", "--api-port", "0", "--aws-port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = ""
    while not printed.endswith("}\n"):
        printed += process.stdout.readline()
    try:
        yield json.loads(printed)
    finally:
        process.send_signal(stop)
        assert process.wait(PATIENCE_SECONDS) == (-stop if stop == signal.SIGKILL else 0)
        process.stdout.close()


@pytest.fixture(scope="module")
def addresses(environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A laptop cloud that is up, and is stopped as a user stops it."""
    with kept_up(environment, signal.SIGTERM) as up:
        yield up


def completed(addresses: dict[str, Any], location: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        run: dict[str, Any] = httpx.get(addresses["api"] + location).json()
        if run["status"] == "completed":
            return run
        assert run["status"] in ("queued", "in_progress")
        time.sleep(0.1)
    raise TimeoutError(location)


def test_a_post_is_accepted_and_its_location_shows_the_run_to_the_end(
    addresses: dict[str, Any],
) -> None:
    prompt = f"Summarise {addresses['pages']}/bread"
    accepted = httpx.post(f"{addresses['api']}/runs", json={"prompt": prompt})

    assert accepted.status_code == 202
    assert "dough" in completed(addresses, accepted.headers["location"])["message"]


def test_aws_tools_see_the_table_and_the_workflow(addresses: dict[str, Any]) -> None:
    access: Any = {
        "endpoint_url": addresses["aws"],
        "region_name": "us-east-1",
        "aws_access_key_id": "any",
        "aws_secret_access_key": "any",
    }
    assert boto3.client("dynamodb", **access).list_tables()["TableNames"] == [addresses["table"]]
    (machine,) = boto3.client("stepfunctions", **access).list_state_machines()["stateMachines"]
    assert machine["stateMachineArn"] == addresses["state_machine"]


def test_other_commands_use_the_cloud_that_is_up(addresses: dict[str, Any], upcall: Upcall) -> None:
    run = upcall("run", "Hello.", "--json")

    assert run.returncode == 0, run.stderr
    run_id = json.loads(run.stdout)["run_id"]
    assert httpx.get(f"{addresses['api']}/runs/{run_id}").json()["status"] == "completed"
    assert run_id in upcall("list").stdout
    assert upcall("show", run_id).returncode == 0


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
@pytest.mark.usefixtures("addresses")
def test_each_run_api_comes_to_the_same(upcall: Upcall, api: str) -> None:
    run = upcall("run", "--api", api)

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Why the tide comes twice a day: Most coasts see two high tides")


@pytest.mark.usefixtures("addresses")
def test_what_the_api_cannot_take_is_one_line(upcall: Upcall) -> None:
    assert problem(upcall("run", "Go.", "--assistant", "nobody")) == (
        "upcall: assistant: there is no assistant 'nobody'; there is messenger, summarizer"
    )
    assert problem(upcall("run", "Go.", "--continue", "run_x")) == (
        "upcall: previous_run_id: there is no run 'run_x'"
    )
    assert problem(upcall("cancel", "run_x")) == "upcall: there is no run 'run_x'"


def test_a_run_is_cancelled_by_the_command_and_only_once(
    upcall: Upcall, environment: dict[str, str], laptop: LocalStack, tmp_path: Any
) -> None:
    variables = {"UPCALL_STATE_FOLDER": str(tmp_path), "OPENAI_BASE_URL": laptop.emulator.base_url}
    model = laptop.emulator.script(Hang())
    with kept_up({**environment, **variables}, signal.SIGINT) as up:
        accepted = httpx.post(f"{up['api']}/runs", json={"prompt": "Go.", "model": model})
        run_id = accepted.json()["run_id"]

        cancelled = upcall("cancel", run_id, **variables)
        assert (cancelled.returncode, cancelled.stdout) == (0, f"{run_id} is cancelled\n")
        assert httpx.get(f"{up['api']}/runs/{run_id}").json()["status"] == "cancelled"
        again = upcall("cancel", run_id, **variables)
        assert again.returncode == 2
        assert again.stderr == f"upcall: run {run_id} has ended already: it is cancelled\n"


def test_a_second_cloud_on_the_same_state_is_refused_in_one_line(
    addresses: dict[str, Any], upcall: Upcall
) -> None:
    second = upcall("local")

    assert second.returncode == 2
    assert second.stderr.strip() == f"upcall: a laptop cloud is up already, at {addresses['api']}"


def test_a_taken_port_is_refused_in_one_line(
    addresses: dict[str, Any], upcall: Upcall, tmp_path: Any
) -> None:
    port = addresses["api"].rpartition(":")[2]
    taken = upcall("local", "--api-port", port, "--aws-port", "0", UPCALL_STATE_FOLDER=str(tmp_path))

    assert taken.returncode == 2
    assert taken.stderr.strip().startswith(f"upcall: port {port} is taken")


def test_what_was_run_is_still_there_when_the_cloud_was_killed(
    upcall: Upcall, environment: dict[str, str], tmp_path: Any
) -> None:
    """A cloud without a chance to save loses a second at most."""
    state = {"UPCALL_STATE_FOLDER": str(tmp_path)}
    with kept_up({**environment, **state}, signal.SIGKILL) as up:
        location = httpx.post(f"{up['api']}/runs", json={"prompt": "Hello."}).headers["location"]
        completed(up, location)
        time.sleep(2.5)

    listed = upcall("list", **state)
    assert location.removeprefix("/runs/") in listed.stdout
    assert "completed" in listed.stdout


def listed(upcall: Upcall, prompt: str) -> str:
    """The id of the completed run whose prompt begins so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for line in upcall("list", "--status", "completed").stdout.splitlines():
            run_id, _, _, excerpt = line.split("\t")
            if excerpt.startswith(prompt[:80]):
                return run_id
        time.sleep(0.3)
    raise TimeoutError(prompt)


@pytest.mark.parametrize("kind", ["request", "run_requested"])
def test_an_event_that_is_sent_starts_a_run(
    addresses: dict[str, Any], upcall: Upcall, tmp_path: Path, kind: str
) -> None:
    prompt = f"Summarise {addresses['pages']}/bread?{kind}"
    event = json.dumps(message(kind)).replace("Summarise https://example.com", prompt)
    (tmp_path / "event.json").write_text(event, "utf-8")

    sent = upcall("send-event", str(tmp_path / "event.json"))

    assert sent.stdout.startswith("sent to the queue" if kind == "request" else "sent to the bus"), (
        sent.stderr
    )
    assert "cold does to dough" in upcall("show", listed(upcall, prompt)).stdout


def test_the_schedule_can_be_fired_by_hand(addresses: dict[str, Any], upcall: Upcall) -> None:
    fired = upcall("fire", "schedule", f"{addresses['pages']}/lighthouses?fired")
    assert fired.stdout.startswith("sent to the queue")

    shown = upcall("show", listed(upcall, f"Summarise each of these: {addresses['pages']}/lighthouses?fired"))
    assert "How a lighthouse says its name" in shown.stdout


def test_the_sweeper_can_be_fired_by_hand(addresses: dict[str, Any], upcall: Upcall) -> None:
    assert addresses
    assert upcall("fire", "sweep").stdout == "open 0, resumed 0, given to close 0\n"
    assert problem(upcall("fire", "cannon")).startswith("upcall: there is nothing called 'cannon' to fire")


def test_callbacks_are_heard_by_whoever_listens(
    addresses: dict[str, Any], environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "cli.main", "listen", "--port", "0"]
    listener = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert listener.stdout is not None
    assert listener.stderr is not None
    url = listener.stderr.readline().split()[-1]
    body = {"prompt": f"Summarise {addresses['pages']}/bread", "callback_url": url}

    run_id = httpx.post(f"{addresses['api']}/runs", json=body).json()["run_id"]
    lines = [listener.stdout.readline(), listener.stdout.readline()]

    listener.send_signal(signal.SIGTERM)
    assert listener.wait(PATIENCE_SECONDS) == 0
    listener.stdout.close()
    listener.stderr.close()
    assert f"run.completed  {run_id}  signed" in lines[0]
    assert "cold does to dough" in lines[1]


def test_a_file_that_is_no_event_is_one_line(
    addresses: dict[str, Any], upcall: Upcall, tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_text("{", "utf-8")

    assert addresses
    assert "is not JSON" in problem(upcall("send-event", str(tmp_path / "bad.json")))
    assert "cannot be read: No such file" in problem(upcall("send-event", str(tmp_path / "none.json")))


def test_where_no_cloud_is_up_nothing_is_sent(upcall: Upcall, tmp_path: Path) -> None:
    state = {"UPCALL_STATE_FOLDER": str(tmp_path)}

    assert problem(upcall("fire", **state)).startswith("upcall: no laptop cloud is up; start one with")


def test_for_containers_there_must_be_a_docker(upcall: Upcall, tmp_path: Path) -> None:
    variables = {"UPCALL_STATE_FOLDER": str(tmp_path), "PATH": str(tmp_path)}

    assert problem(upcall("local", "--sam", **variables)) == (
        "upcall: there is no command docker on this machine"
    )
