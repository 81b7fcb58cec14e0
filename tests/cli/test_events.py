"""`upcall send-event`, `trigger` and `listen` on the running local stack."""

import json
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from support.sample_events import sample_message
from support.waiting import wait_until

from local.config import ROOT
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository

from .conftest import COMMAND, TIMEOUT_SECONDS, Upcall, one_line_error


def wait_for_completed_run(repository: DynamoDBRunRepository, prompt: str) -> str:
    """The id of the completed run whose prompt begins like this."""
    excerpt = prompt[:80]

    def find() -> str | None:
        listed = repository.list_runs(owner=None, status="completed", limit=100).runs
        return next((each.run_id for each in listed if each.excerpt.startswith(excerpt)), None)

    return str(wait_until(find, f"a completed run with the prompt {prompt!r}", TIMEOUT_SECONDS))


@pytest.mark.parametrize("kind", ["request", "run_requested"])
def test_an_event_that_is_sent_starts_a_run(
    upcall_on_running_stack: Upcall,
    local_stack: LocalStack,
    repository: DynamoDBRunRepository,
    tmp_path: Path,
    kind: str,
) -> None:
    prompt = f"Summarise {local_stack.endpoints.pages}/bread?{kind}"
    event = json.dumps(sample_message(kind)).replace("Summarise https://example.com", prompt)
    (tmp_path / "event.json").write_text(event, "utf-8")

    sent = upcall_on_running_stack("send-event", str(tmp_path / "event.json"))

    destination = "sent to the queue" if kind == "request" else "sent to the bus"
    assert sent.stdout.startswith(destination), sent.stderr
    run_id = wait_for_completed_run(repository, prompt)
    assert "cold does to dough" in upcall_on_running_stack("show", run_id).stdout


def test_the_schedule_is_triggered_by_hand(
    upcall_on_running_stack: Upcall, local_stack: LocalStack, repository: DynamoDBRunRepository
) -> None:
    url = f"{local_stack.endpoints.pages}/lighthouses?triggered"
    triggered = upcall_on_running_stack("trigger", "schedule", url)
    assert triggered.stdout.startswith("sent to the queue")

    run_id = wait_for_completed_run(repository, f"Summarise each of these: {url}")
    assert "How a lighthouse says its name" in upcall_on_running_stack("show", run_id).stdout


def test_the_listener_prints_signed_callbacks(local_stack: LocalStack, environment: dict[str, str]) -> None:
    listener = subprocess.Popen(
        [*COMMAND, "listen", "--port", "0"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert listener.stdout is not None
    assert listener.stderr is not None
    url = listener.stderr.readline().split()[-1]
    body = {"prompt": f"Summarise {local_stack.endpoints.pages}/bread", "callback_url": url}

    run_id = httpx.post(f"{local_stack.endpoints.api}/runs", json=body).json()["run_id"]
    lines = [listener.stdout.readline(), listener.stdout.readline()]

    listener.send_signal(signal.SIGTERM)
    assert listener.wait(TIMEOUT_SECONDS) == 0
    listener.stdout.close()
    listener.stderr.close()
    assert f"run.completed  {run_id}  signed" in lines[0]
    assert "cold does to dough" in lines[1]


def test_a_file_that_is_not_an_event_is_a_one_line_error(
    upcall_on_running_stack: Upcall, tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_text("{", "utf-8")

    bad = upcall_on_running_stack("send-event", str(tmp_path / "bad.json"))
    missing = upcall_on_running_stack("send-event", str(tmp_path / "none.json"))

    assert "is not JSON" in one_line_error(bad)
    assert "cannot be read: No such file" in one_line_error(missing)


def test_nothing_is_triggered_without_a_running_stack(upcall: Upcall) -> None:
    assert one_line_error(upcall("trigger")).startswith("upcall: no local stack is running; start one with")
