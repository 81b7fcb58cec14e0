"""`upcall approvals`: a person lists, shows, approves and denies calls that wait."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from support.canned_server import canned_server, json_response
from support.waiting import wait_until

from local.config import ROOT
from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack
from upcall.client import OpenCallView, RunRequest, UpcallClient

from .conftest import COMMAND, TIMEOUT_SECONDS, Upcall, one_line_error

MESSAGE = "The tide is high.\namount: 5\u202e"


@pytest.fixture
def client(local_stack: LocalStack) -> Iterator[UpcallClient]:
    with UpcallClient(local_stack.endpoints.api) as started:
        yield started


def start_waiting_run(
    client: UpcallClient, local_stack: LocalStack, *messages: str
) -> tuple[str, tuple[OpenCallView, ...]]:
    """The id of a run whose calls of notify, with these messages, wait for approvals, and the calls."""
    calls = CallTools(tuple(Call.of("notify", message=message) for message in messages))
    model = local_stack.emulator.script(calls, Say("Done."))
    run_id = client.start_run(RunRequest(prompt="Tell the team.", assistant="announcer", model=model))
    open_calls = wait_until(
        lambda: found if len(found := client.get_run(run_id).open_calls) == len(messages) else None,
        "the calls",
        60,
    )
    return run_id, open_calls


def test_a_waiting_call_is_listed_shown_and_approved(
    upcall_on_running_stack: Upcall, client: UpcallClient, local_stack: LocalStack
) -> None:
    run_id, (call,) = start_waiting_run(client, local_stack, MESSAGE)

    (line, *_) = upcall_on_running_stack("approvals", "list").stdout.splitlines()
    assert line.split("\t")[:3] == [run_id, "1-1", "notify"]
    shown = upcall_on_running_stack("approvals", "show", run_id)
    assert shown.stdout.splitlines()[:5] == [
        "1-1  notify",
        "  message:",
        "    │ The tide is high.",
        "    │ amount: 5\\u202e",
        f"  digest {call.arguments_digest}",
    ]
    assert "\ncall 1-1  · notify The tide is high.\\namount: 5\\u202e  waits for an approval until 20" in (
        upcall_on_running_stack("show", run_id).stdout
    )
    assert (
        json.loads(upcall_on_running_stack("show", run_id, "--json").stdout)["open_calls"][0]["id"] == "1-1"
    )

    approved = upcall_on_running_stack("approvals", "approve", run_id, "1-1", "--yes", "--reason", "Fine.")
    assert (approved.returncode, approved.stdout) == (0, f"call 1-1 of {run_id} is approved\n")
    assert "    │ amount: 5\\u202e" in approved.stderr  # it is shown also if nobody is asked
    assert client.follow(run_id).message == "Done."
    assert re.search(
        r"\n +approved by anybody at [\d: -]+: Fine\.", upcall_on_running_stack("show", run_id).stdout
    )
    assert upcall_on_running_stack("approvals", "show", run_id).stdout == (
        f"no call of {run_id} waits for an approval\n"
    )


def test_each_of_several_calls_is_decided_about(
    upcall_on_running_stack: Upcall, client: UpcallClient, local_stack: LocalStack
) -> None:
    run_id, calls = start_waiting_run(client, local_stack, "One.", "Two.")
    listed = json.loads(upcall_on_running_stack("approvals", "list", "--json").stdout)
    assert [(each["run_id"], each["id"]) for each in listed[:2]] == [(run_id, "1-1"), (run_id, "1-2")]
    assert [each["run_id"] for each in listed] == sorted((each["run_id"] for each in listed), reverse=True)
    (shown,) = json.loads(upcall_on_running_stack("approvals", "show", run_id, "1-2", "--json").stdout)
    assert shown["arguments"] == '{"message": "Two."}'

    digest = shown["arguments_digest"]
    denied = upcall_on_running_stack(
        "approvals", "deny", run_id, "1-2", "--digest", digest, "--reason", "Too short.", "--json"
    )
    assert json.loads(denied.stdout)["decision"] == "deny"
    again = upcall_on_running_stack("approvals", "deny", run_id, "1-2", "--yes")
    assert one_line_error(again) == (
        f"upcall: no call '1-2' of {run_id} waits for an approval; those that wait: 1-1"
    )
    other = upcall_on_running_stack("approvals", "approve", run_id, "1-1", "--digest", digest)
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr.splitlines()[-1] == "upcall: call 1-1 has other arguments than those of this digest"

    client.decide(run_id, "1-1", "deny", calls[0].arguments_digest)
    client.follow(run_id)
    denial = "denied by anybody at [0-9: -]+: Too short."
    assert re.search(denial, upcall_on_running_stack("show", run_id).stdout)


def test_nobody_approves_what_he_has_not_seen(
    upcall_on_running_stack: Upcall, client: UpcallClient, local_stack: LocalStack
) -> None:
    run_id, (call,) = start_waiting_run(client, local_stack, "Hi.")

    assert one_line_error(upcall_on_running_stack("approvals", "approve", run_id, "1-1")) == (
        "upcall: without a terminal nobody can be asked: give --yes, or --digest with what "
        f"`upcall approvals show {run_id} 1-1` prints"
    )
    assert client.get_run(run_id).open_calls == (call,)
    client.cancel_run(run_id)


def test_a_person_on_a_terminal_is_asked(
    environment: dict[str, str],
    client: UpcallClient,
    local_stack: LocalStack,
    tmp_path: Path,
) -> None:
    (tmp_path / "running.json").write_text(json.dumps(asdict(local_stack.endpoints)), "utf-8")
    variables = {**environment, "UPCALL_STATE_FOLDER": str(tmp_path), "TERM": "xterm", "COLUMNS": "60"}
    run_id, _ = start_waiting_run(client, local_stack, "x" * 60 + "amount: 5")

    code, printed = on_terminal(variables, "n\n", "approvals", "deny", run_id, "1-1")
    assert code == 1
    assert "Deny exactly this call? [y/N]: " in printed
    assert "Nothing was decided." in printed
    assert "\n  │ " in printed.replace("\r", "")  # the rest of a line that is too long
    assert len(client.get_run(run_id).open_calls) == 1

    code, printed = on_terminal(variables, "y\n", "approvals", "deny", run_id, "1-1")
    assert (code, f"call 1-1 of {run_id} is denied" in printed) == (0, True)
    assert "\x1b[" in printed
    assert client.follow(run_id).message == "Done."


def on_terminal(variables: dict[str, str], typed: str, *arguments: str) -> tuple[int, str]:
    """The exit code of a command on a terminal where this is typed, and what the terminal shows."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, env=variables, stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    printed = b""
    os.write(ours, typed.encode())
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the command has ended
            break
        if not part:
            break
        printed += part
    os.close(ours)
    return process.wait(TIMEOUT_SECONDS), printed.decode()


def test_the_command_that_follows_a_run_says_how_to_approve(
    upcall_on_running_stack: Upcall, client: UpcallClient, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(CallTools((Call.of("notify", message="Hi."),)), Say("Done."))
    with ThreadPoolExecutor(1) as pool:
        arguments = ("run", "Tell the team.", "--assistant", "announcer", "--model", model)
        running = pool.submit(upcall_on_running_stack, *arguments)
        run_id = wait_until(
            lambda: next(
                (run.run_id for run in client.list_runs("requires_action", 100) if run.model == model), None
            ),
            "the run",
            60,
        )
        upcall_on_running_stack("approvals", "deny", run_id, "1-1", "--yes")
        finished = running.result()

    assert finished.returncode == 0, finished.stderr
    assert re.search(
        rf"· notify waits for an approval until [\d: -]+: upcall approvals approve {run_id} 1-1\n",
        finished.stderr,
    )
    assert re.search(r"✗ +\d+\.\d s    notify Hi\.  A person denied the call of notify", finished.stderr)
    assert "ApprovalRequired" not in finished.stderr


def test_a_command_with_a_local_stack_of_its_own_can_be_given_an_approval(
    upcall: Upcall, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(CallTools((Call.of("notify", message="Hi."),)), Say("Done."))
    server = {"OPENAI_BASE_URL": local_stack.emulator.base_url}
    with ThreadPoolExecutor(1) as pool:
        arguments = ("run", "Tell the team.", "--assistant", "announcer", "--model", model)
        running = pool.submit(upcall, *arguments, **server)
        listed = wait_until(
            lambda: running.done() or upcall("approvals", "list").stdout.strip(), "the call", 60
        )
        assert isinstance(listed, str), running.result().stderr
        run_id = listed.split("\t")[0]
        denied = upcall("approvals", "deny", run_id, "1-1", "--yes")
        assert denied.returncode == 0, denied.stderr
        assert running.result().stdout == "Done.\n"


def test_without_a_local_stack_there_is_nothing_to_decide(upcall: Upcall) -> None:
    error = "upcall: no local stack is running; start one with `upcall local` in another terminal"
    assert one_line_error(upcall("approvals", "list")) == error
    assert one_line_error(upcall("approvals", "approve", "run_1", "1-1", "--yes")) == error


def test_a_caller_who_may_not_decide_is_told(
    upcall: Upcall, client: UpcallClient, local_stack: LocalStack
) -> None:
    run_id, _ = start_waiting_run(client, local_stack, "Hi.")
    run = json_response(client.get_run(run_id).model_dump(mode="json", exclude_none=True))
    refusal = json_response({"detail": "the caller may not decide about tool calls", "status": 403}, 403)
    with canned_server(run, refusal) as server:
        stack = {"UPCALL_STACK": server.url, "UPCALL_TOKEN": "x"}
        approved = upcall("approvals", "approve", run_id, "1-1", "--yes", **stack)
    assert (approved.returncode, approved.stdout) == (2, "")
    assert approved.stderr.splitlines()[-1] == "upcall: the caller may not decide about tool calls"
    client.cancel_run(run_id)
