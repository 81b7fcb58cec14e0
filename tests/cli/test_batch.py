"""`upcall batch`: a file becomes a batch, which is followed, cancelled, and read line by line."""

import io
import json
import re
import signal
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.canned_server import canned_server, json_response
from support.waiting import wait_until

from cli.batches.input_file import NotInline, check_columns, open_input_file, read_inline_inputs
from cli.batches.request import build_batch_request, parse_format
from cli.errors import CommandError
from cli.terminal.batch_output import batch_command, print_batch, print_batch_end, print_batch_list
from cli.terminal.batch_progress import BatchProgress, upload_progress
from local.config import ROOT
from local.openai_emulator import Hang, Say
from local.stack import LocalStack
from upcall.client import BatchView, UpcallClient
from upcall.domain.errors import InvalidInput

from .conftest import (
    COMMAND,
    TIMEOUT_SECONDS,
    Upcall,
    one_line_error,
    plain_console,
    printed_text,
    terminal_console,
)

CSV = """custom_id,question
q1,How high?
q2,"How deep,
in metres?"
q3,too,many
,How far?
q5,"How ""wide""?"
"""


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    """Five records, of which the third has a field too many and the fourth an empty custom_id."""
    path = tmp_path / "questions.csv"
    path.write_text(CSV, "utf-8")
    return path


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_csv_file_is_uploaded_followed_and_answered_in_its_order(
    upcall_on_running_stack: Upcall, local_stack: LocalStack, csv_file: Path, tmp_path: Path
) -> None:
    model = local_stack.emulator.script(Say("42."))
    template = "{{question}} Be brief."
    options = ("--model", model, "--concurrency", "2", "--key", f"the questions of {model}")
    submit = ("batch", "submit", str(csv_file), "--prompt-template", template, *options)
    done = upcall_on_running_stack(*submit, "--watch")

    assert done.returncode == 0, done.stderr
    batch_id = done.stdout.strip()
    first, *_, last, hint = done.stderr.splitlines()
    assert first == f"uploading {csv_file}, {len(CSV)} bytes"
    assert re.match(r"completed · 5 of 5 lines ended · 2 failed · \d+ tokens · ", last)
    assert hint == f"results: upcall batch results {batch_id}"

    results = json_lines(upcall_on_running_stack("batch", "results", batch_id).stdout)
    assert [(each["line"], each["status"]) for each in results] == [
        (2, "completed"),
        (3, "completed"),
        (5, "failed"),
        (6, "failed"),
        (7, "completed"),
    ]
    assert [results[index]["custom_id"] for index in (0, 1, 4)] == ["q1", "q2", "q5"]
    assert {each["message"] for each in results if each["status"] == "completed"} == {"42."}
    with UpcallClient(local_stack.endpoints.api) as client:
        assert client.get_run(results[4]["run_id"]).prompt == 'How "wide"? Be brief.'

    failures = tmp_path / "failures.jsonl"
    written = upcall_on_running_stack("batch", "results", batch_id, "--failures", "--output", str(failures))
    assert (written.stdout, written.stderr) == ("", f"2 lines in {failures}\n")
    assert json_lines(failures.read_text("utf-8")) == [results[2], results[3]]
    assert results[2]["failure"]["message"] == "line: has 3 fields; the header has 2"

    again = upcall_on_running_stack(*submit)
    assert (again.stdout, again.returncode) == (f"{batch_id}\n", 0), again.stderr
    assert again.stderr.splitlines()[-1] == f"completed: upcall batch watch {batch_id}"
    other = upcall_on_running_stack(*submit, "--tolerated-failures", "0.5")
    assert other.stderr.splitlines()[-1] == "upcall: this idempotency key stands for another request"

    shown = upcall_on_running_stack("batch", "show", batch_id).stdout
    assert "\nended        3 completed · 2 failed · 0 cancelled\n" in shown
    assert "\ntemplate     {{question}} Be brief.\n" in shown
    (line,) = upcall_on_running_stack("batch", "list", "--limit", "1").stdout.splitlines()
    listed_id, status, _, progress = line.split("\t")
    assert (listed_id, status) == (batch_id, "completed")
    assert progress.startswith("5 of 5 lines ended · 2 failed · ")
    (listed,) = json.loads(upcall_on_running_stack("batch", "list", "--limit", "1", "--json").stdout)
    as_json = json.loads(upcall_on_running_stack("batch", "show", batch_id, "--json").stdout)
    assert listed == as_json
    of_caller = ["batch", "list", "--limit", "1", "--caller"]
    assert upcall_on_running_stack(*of_caller, "anybody").stdout.startswith(f"{batch_id}\t")
    assert upcall_on_running_stack(*of_caller, "nobody").stdout == ""
    assert (as_json["status"], as_json["input_format"]) == ("completed", "csv")
    assert as_json["input_key"].startswith("uploads/")


def test_a_small_jsonl_file_is_sent_with_the_request_and_can_be_cancelled(
    upcall_on_running_stack: Upcall,
    environment: dict[str, str],
    local_stack: LocalStack,
    tmp_path: Path,
) -> None:
    lines = tmp_path / "prompts.jsonl"
    lines.write_text('"One."\n{"prompt": "Two.", "custom_id": "two"}\n"Three."\n', "utf-8")
    model = local_stack.emulator.script(Hang())
    submit = ("batch", "submit", str(lines), "--model", model, "--concurrency", "2", "--json")
    started = json.loads(upcall_on_running_stack(*submit).stdout)
    batch_id = started["batch_id"]
    assert (started["input_key"], started["concurrency"]) == (f"{batch_id}/request.jsonl", 2)
    with UpcallClient(local_stack.endpoints.api) as client:
        wait_until(lambda: client.get_batch(batch_id).under_way == 2, "two runs")

    early = one_line_error(upcall_on_running_stack("batch", "results", batch_id))
    assert early == f"upcall: batch {batch_id} has no results yet: it is in_progress"
    assert interrupted_watch(environment, local_stack, tmp_path, batch_id) == [
        "in_progress · 0 of 3 lines ended · 2 under way · 0 tokens",
        f"upcall: {batch_id} goes on; `upcall batch watch {batch_id}` follows it, "
        f"`upcall batch cancel {batch_id}` cancels it",
    ]

    cancelled = upcall_on_running_stack("batch", "cancel", batch_id)
    assert (cancelled.returncode, cancelled.stdout) == (0, f"{batch_id} is cancelling\n")
    watched = upcall_on_running_stack("batch", "watch", batch_id, "--json")
    assert watched.returncode == 1
    assert json.loads(watched.stdout)["counts"]["cancelled"] == 3
    results = json_lines(upcall_on_running_stack("batch", "results", batch_id).stdout)
    assert [(each["line"], each["status"], each.get("custom_id")) for each in results[:2]] == [
        (1, "cancelled", None),
        (2, "cancelled", "two"),
    ]
    assert results[2]["failure"]["code"] == "not_started"
    assert one_line_error(upcall_on_running_stack("batch", "cancel", batch_id)) == (
        f"upcall: batch {batch_id} has ended already: it is cancelled"
    )


def interrupted_watch(
    environment: dict[str, str], local_stack: LocalStack, folder: Path, batch_id: str
) -> list[str]:
    """What a command that follows a batch prints if it is interrupted after its first line."""
    (folder / "running.json").write_text(json.dumps(asdict(local_stack.endpoints)), "utf-8")
    process = subprocess.Popen(
        [*COMMAND, "batch", "watch", batch_id],
        cwd=ROOT,
        env={**environment, "UPCALL_STATE_FOLDER": str(folder), "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 2
    return (first + rest).splitlines()


def test_without_a_running_stack_the_batch_is_followed_and_its_results_are_saved(
    upcall: Upcall, environment: dict[str, str], tmp_path: Path
) -> None:
    lines = tmp_path / "prompts.ndjson"
    lines.write_text('"Hello."\n\nno JSON\n', "utf-8")  # uploaded: lines count as in the file
    refused = upcall("batch", "submit", str(lines), "--no-watch")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith(
        "upcall: without a running local stack the batch ends with this command"
    )

    done = upcall("batch", "submit", str(lines))
    assert done.returncode == 0, done.stderr
    path = Path(environment["UPCALL_STATE_FOLDER"]) / "batches" / f"{done.stdout.strip()}.jsonl"
    assert done.stderr.splitlines()[-1] == f"results: {path}"
    results = json_lines(path.read_text("utf-8"))
    assert [(each["line"], each["status"]) for each in results] == [(1, "completed"), (3, "failed")]
    error = one_line_error(upcall("batch", "show", done.stdout.strip()))
    assert error.startswith("upcall: no local stack is running")


def test_with_a_token_alone_a_file_that_does_not_fit_into_a_request_is_an_error(
    upcall: Upcall, csv_file: Path, tmp_path: Path
) -> None:
    small = tmp_path / "prompts.jsonl"
    small.write_text('"Hello."', "utf-8")
    accepted = batch_view().model_dump(mode="json", exclude_none=True)
    with canned_server(json_response(accepted, 202)) as server:
        variables = {"UPCALL_STACK": server.url, "UPCALL_TOKEN": "ey.J.x"}
        rejected = upcall("batch", "submit", str(csv_file), "--prompt-template", "{{question}}", **variables)
        assert one_line_error(rejected) == (
            f"upcall: {csv_file} is CSV, so it must be uploaded: "
            "--stack has a URL, which does not tell the bucket: give the name of the stack"
        )
        assert server.requests == []
        options = ("--api", "agents", "--completion-window", "2h", "--tolerated-failures", "0.1")
        sent = upcall("batch", "submit", str(small), *options, "--key", "k", **variables)
    assert (sent.returncode, sent.stdout) == (0, "batch_1\n"), sent.stderr
    assert sent.stderr == f"in_progress: upcall batch watch batch_1 --stack {server.url}\n"
    (request,) = server.requests
    assert request.headers["Authorization"] == "Bearer ey.J.x"
    assert request.headers["Idempotency-Key"] == "k"
    assert request.json == {
        "inputs": ["Hello."],
        "completion_window": "2h",
        "tolerated_failures": 0.1,
        "defaults": {"run_api": "agents"},
    }


def test_invalid_options_are_found_before_anything_is_sent(upcall: Upcall, csv_file: Path) -> None:
    submitted = upcall("batch", "submit", str(csv_file), "--concurrency", "0", UPCALL_STACK="http://x")
    assert one_line_error(submitted) == "upcall: concurrency: Input should be greater than or equal to 1"
    for options, error in (
        ({"tolerated_failures": 1.5}, "tolerated_failures: Input should be less than or equal to 1"),
        ({"budget_usd": 0.0}, "budget_usd: Input should be greater than or equal to 0.000001"),
        ({"defaults": {"run_api": "chat"}}, "defaults: run_api"),
    ):
        with pytest.raises(InvalidInput, match=error):
            build_batch_request({"defaults": {}, **options}, input_key="any")
    with pytest.raises(CommandError, match="there is no format 'xml'; there is jsonl and csv"):
        parse_format("xml")


def test_a_file_has_a_format_and_content(tmp_path: Path) -> None:
    for name, content, error in (
        ("prompts.txt", "Hi.", "does not tell its format: give --format jsonl or csv"),
        ("empty.jsonl", "", "empty.jsonl is empty"),
        ("missing.jsonl", None, "missing.jsonl cannot be read: No such file or directory"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_text(content, "utf-8")
        with pytest.raises(CommandError, match=error), open_input_file(str(path), None):
            pass
    with open_input_file(str(tmp_path / "prompts.txt"), "csv") as source:
        assert source.format == "csv"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'"a"\n\n"b"\n', "has a line 2 that is not JSON"),
        (b'"a"\n{"n": NaN}\n', "has a line 2 that is not JSON"),
        (b'"\\ud800"\n', "has a line 1 that is not JSON"),
        (b"[" * 100_000, "has a line 1 that is not JSON"),
        (b"[1]\n", "has a line 1 that is neither a string nor an object"),
        (b'"\xff"\n', "is not UTF-8"),
        (b'"a"\n' * 1001, "has more than 1,000 lines"),
        (b'"%s"\n' % (b"a" * 900_000), "has more than 900,000 bytes"),
    ],
)
def test_a_file_that_the_request_cannot_hold_as_it_is_is_uploaded(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(content)
    with open_input_file(str(path), None) as source:
        with pytest.raises(NotInline, match=reason):
            read_inline_inputs(source)
        assert source.file.read() == content


def test_standard_input_is_jsonl_and_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    content = "\ufeff" + '"a\u2028b"\r\n{"prompt": "c"}\n' + '"x"\n' * 998
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    with open_input_file("-", None) as source:
        inputs = read_inline_inputs(source)
        assert read_inline_inputs(source) == inputs
    assert (inputs[:2], len(inputs)) == (("a\u2028b", {"prompt": "c"}), 1000)


def test_columns_that_cannot_become_prompts_are_an_error(csv_file: Path, tmp_path: Path) -> None:
    with open_input_file(str(csv_file), None) as source:
        with pytest.raises(CommandError, match=r"no column 'prompt': .*\{\{custom_id\}\}, \{\{question\}\}"):
            check_columns(source, None)
        with pytest.raises(CommandError, match="names 'lang'.*; the columns of .* are custom_id, question"):
            check_columns(source, "{{question}} Answer in {{lang}}.")
        check_columns(source, "{{ question }}")
        assert source.file.read() == CSV.encode()
    path = tmp_path / "fields.csv"
    path.write_text("\ufeffprompt,model\nHi.,m\n", "utf-8")
    with open_input_file(str(path), None) as source:
        check_columns(source, None)


def batch_view(**fields: Any) -> BatchView:
    """A batch of ten lines, of which three have ended."""
    counts = {
        "completed": 2,
        "failed": 1,
        "usage": {"input_tokens": 1000, "output_tokens": 234, "total_tokens": 1234},
    }
    created_at = datetime(2026, 11, 26, 20, tzinfo=UTC)
    known = {"batch_id": "batch_1", "status": "in_progress", "owner": "me", "input_key": "k", "lines": 10}
    known |= {"input_format": "jsonl", "concurrency": 4, "created_at": created_at, "under_way": 4}
    return BatchView.model_validate({**known, "counts": counts, "waiting": 3, **fields})


def test_without_a_terminal_a_change_is_a_line_every_ten_seconds_at_most() -> None:
    console = plain_console()
    times = iter((0.0, 5.0, 10.0, 20.0, 30.0))
    with BatchProgress(console, lambda: next(times)) as progress:
        for waiting in (10, 9, 8, 8, 7):
            progress.update(batch_view(under_way=10 - waiting))
        progress.update(batch_view(status="completed"))

    assert printed_text(console).splitlines() == [
        "in_progress · 3 of 10 lines ended · 1 failed · 1,234 tokens",
        "in_progress · 3 of 10 lines ended · 1 failed · 2 under way · 1,234 tokens",
        "in_progress · 3 of 10 lines ended · 1 failed · 3 under way · 1,234 tokens",
    ]


def test_a_terminal_has_a_bar_with_dollars_and_the_estimated_end() -> None:
    console = terminal_console(200)
    usage = {"total_tokens": 1234, "usd": 1.25}
    view = batch_view(
        counts={"completed": 3, "usage": usage},
        estimated_end_at=datetime(2026, 11, 26, 22, tzinfo=UTC).astimezone(),
    )
    with BatchProgress(console) as progress:
        progress.update(view)

    text = printed_text(console)
    assert "━" in text
    assert re.search(
        r"3 of 10 lines ended · 4 under way · 1,234 tokens · \$1\.2500 · ends about 2026-11-", text
    )


def test_an_upload_has_a_bar_on_a_terminal_only() -> None:
    console = terminal_console()
    with upload_progress(console, "big.csv", 2000) as bytes_sent:
        bytes_sent(500)
    assert "0.5/2.0 kB" in printed_text(console)
    console = plain_console()
    with upload_progress(console, "big.csv", 2000) as bytes_sent:
        bytes_sent(500)
    assert printed_text(console) == "uploading big.csv, 2,000 bytes\n"


def test_the_end_of_a_batch_has_its_reason() -> None:
    console = plain_console()
    failure = {"code": "budget_usd", "message": "The runs have cost\n2 $."}
    ended_at = batch_view().created_at + timedelta(seconds=90)
    view = batch_view(status="failed", failure=failure, under_way=0, ended_at=ended_at)
    print_batch_end(console, view)
    assert printed_text(console) == (
        "budget_usd: The runs have cost\\n2 $.\n"
        "failed · 3 of 10 lines ended · 1 failed · 1,234 tokens · 90.0 s\n"
    )
    print_batch(console, view.model_copy(update={"budget_usd": 2.0, "tolerated_failures": 0.05}))
    text = printed_text(console)
    assert "\nbudget       $2.0000\n" in text
    assert "\ntolerated    5.0% of lines\n" in text
    assert "\nfailure      budget_usd: The runs have cost\\n2 $.\n" in text
    assert "\nopen " not in text


def test_a_list_on_a_terminal_has_columns() -> None:
    console = terminal_console(140)
    print_batch_list(console, [batch_view(), batch_view(status="completed", under_way=0)])

    heading, first, second = printed_text(console).splitlines()
    assert [word in heading for word in ("batch", "status", "submitted", "lines")] == [True] * 4
    assert "in_progress" in first
    assert "3 of 10 lines ended · 1 failed · 4 under way" in first
    assert "completed" in second


def test_a_list_without_batches_prints_nothing() -> None:
    console = terminal_console()
    print_batch_list(console, [])
    assert printed_text(console) == ""


def test_a_command_to_go_on_with_names_the_stack() -> None:
    assert batch_command("watch", "batch_1", "my stack") == "upcall batch watch batch_1 --stack 'my stack'"
