"""`upcall run`, `list`, `show` and `cancel` on a deployed stack."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.canned_server import canned_server
from support.iam_gateway import CALLER, REGION, IamGateway
from werkzeug.wrappers import Response

from cli.backends.stack_lookup import region_of
from local.config import ROOT
from local.openai_emulator import Fail, Hang
from local.stack import LocalStack

from .conftest import COMMAND, OTHER, STACK, TIMEOUT_SECONDS, Finished, Upcall, one_line_error

OnStack = Callable[..., Finished]


@pytest.fixture(scope="module")
def on_stack(upcall: Upcall, user: dict[str, str], gateway: IamGateway) -> OnStack:
    """Run a command on the stack whose URL is in UPCALL_STACK."""

    def run(*arguments: str, **variables: str) -> Finished:
        return upcall(*arguments, **{**user, "UPCALL_STACK": gateway.url, **variables})

    return run


@pytest.mark.usefixtures("stacks")
def test_a_stack_is_found_by_its_name_and_a_run_followed_to_its_message(
    on_stack: OnStack, gateway: IamGateway, local_stack: LocalStack
) -> None:
    run = on_stack("run", f"Fasse zusammen: {local_stack.endpoints.pages}/tides", "--stack", STACK)

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Why the tide comes twice a day: ")
    first, prompt, *progress, _, _, last = run.stderr.splitlines()
    run_id, server = first.split()
    assert (server, prompt.startswith("Fasse zusammen")) == (gateway.url, True)
    rows = [line.split()[3] for line in progress]
    assert rows == ["queued", "in_progress", "requires_action", "fetch", "in_progress"]
    assert last.startswith("completed · 1 round · 1 call · ")
    assert last.endswith(" s")  # neither transitions nor dollars: the API does not return them
    assert f"GET /runs/{run_id}/events?after=0&wait=20&limit=1000&text_after=0" in gateway.accepted

    (listed, *_) = on_stack("list").stdout.splitlines()
    assert listed.split("\t")[:2] == [run_id, "completed"]
    shown = on_stack("show", run_id).stdout
    assert run.stdout.strip() in shown
    assert "round 1  ✓ fetch http://127.0.0.1:" in shown
    assert gateway.rejected == []


def test_each_command_prints_json(on_stack: OnStack, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(Fail("invalid_prompt", "The model is on fire."))
    run = on_stack("run", "Go.", "--model", model, "--json")
    outcome = json.loads(run.stdout)
    assert (run.returncode, outcome["status"], outcome["ledger"]) == (1, "failed", [])
    assert "transitions" not in outcome

    run_id = outcome["run_id"]
    shown = json.loads(on_stack("show", run_id, "--json").stdout)
    assert (shown["failure"]["message"], shown["ledger"]) == ("The model is on fire.", [])
    listed = json.loads(on_stack("list", "--status", "failed", "--limit", "1", "--json").stdout)
    assert [each["run_id"] for each in listed] == [run_id]
    of_caller = ["list", "--status", "failed", "--limit", "1", "--json", "--caller"]
    assert json.loads(on_stack(*of_caller, "anybody").stdout) == listed
    assert json.loads(on_stack(*of_caller, "nobody").stdout) == []
    assert one_line_error(on_stack(*of_caller, "x" * 257)) == (
        "upcall: owner: String should have at most 256 characters"
    )
    assert (
        one_line_error(on_stack("cancel", run_id)) == f"upcall: run {run_id} has ended already: it is failed"
    )


def test_an_interrupted_command_leaves_the_run_running(
    on_stack: OnStack,
    environment: dict[str, str],
    user: dict[str, str],
    gateway: IamGateway,
    local_stack: LocalStack,
) -> None:
    command = [*COMMAND, "run", "Go.", "--stack", gateway.url]
    process = subprocess.Popen(
        [*command, "--model", local_stack.emulator.script(Hang())],
        cwd=ROOT,
        env={**environment, **user},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    run_id = process.stderr.readline().split()[0]
    gateway.wait_for_request(f"GET /runs/{run_id}/events?after=0&wait=20&limit=1000&text_after=0")
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=TIMEOUT_SECONDS)

    assert process.returncode == 2
    message = f"upcall: {run_id} is still running; `upcall cancel {run_id}` cancels it"
    assert printed.splitlines()[-1] == message
    cancelled = on_stack("cancel", run_id)
    assert (cancelled.returncode, cancelled.stdout) == (0, f"{run_id} is cancelled\n")


@pytest.mark.usefixtures("stacks")
def test_inputs_of_a_batch_are_uploaded_to_the_bucket_of_the_stack_that_is_named(
    on_stack: OnStack, local_stack: LocalStack, tmp_path: Path
) -> None:
    path = tmp_path / "questions.csv"
    path.write_text("question\nHow high?\n", "utf-8")
    submit = ("batch", "submit", str(path), "--prompt-template", "{{question}}", "--stack", STACK)
    denied = "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
    with canned_server(Response(denied, 403)) as server:
        failed = on_stack(*submit, AWS_ENDPOINT_URL_S3=server.url)
    assert (failed.returncode, failed.stdout) == (2, "")
    bucket = local_stack.endpoints.batch_bucket
    assert failed.stderr.splitlines()[-1].startswith(
        f"upcall: {path} cannot be uploaded to the bucket {bucket}: An error occurred (AccessDenied)"
    )

    done = on_stack(*submit, "--watch", AWS_ENDPOINT_URL_S3=local_stack.endpoints.aws)
    assert done.returncode == 0, done.stderr
    batch_id = done.stdout.strip()
    assert done.stderr.splitlines()[-1] == f"results: upcall batch results {batch_id} --stack {STACK}"
    results = on_stack("batch", "results", batch_id, "--stack", STACK).stdout
    assert [(each["line"], each["status"]) for each in map(json.loads, results.splitlines())] == [
        (2, "completed")
    ]


def test_a_run_on_a_deployed_stack_needs_a_prompt(on_stack: OnStack) -> None:
    assert one_line_error(on_stack("run")) == (
        "upcall: a run on a deployed stack needs a prompt; the sample page is local"
    )
    assert one_line_error(on_stack("run", " ")) == "upcall: prompt: must not be empty"


@pytest.mark.usefixtures("stacks")
def test_a_stack_that_is_not_of_upcall_is_a_one_line_error(on_stack: OnStack) -> None:
    assert one_line_error(on_stack("list", "--stack", "nobodys")) == (
        f"upcall: there is no stack 'nobodys' in {REGION}"
    )
    assert one_line_error(on_stack("list", "--stack", OTHER)) == (
        f"upcall: the stack '{OTHER}' has no output ApiUrl: it is not a stack of Upcall, or not complete"
    )


def test_without_permission_to_look_up_stacks_the_error_suggests_the_url(on_stack: OnStack) -> None:
    denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>No.</Message></Error></ErrorResponse>"
    with canned_server(Response(denied, 403)) as server:
        listed = on_stack("list", "--stack", STACK, AWS_ENDPOINT_URL_CLOUDFORMATION=server.url)
    assert one_line_error(listed) == (
        "upcall: your AWS credentials may not look up stacks: give --stack the URL of the API"
    )


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://a1b2c3.execute-api.eu-central-1.amazonaws.com", "eu-central-1"),
        ("https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn/stage", "cn-north-1"),
        ("https://runs.example.com", None),
        ("https://runs.example.com/.execute-api.eu-central-1.amazonaws.com", None),
    ],
)
def test_the_region_is_read_from_the_url(url: str, region: str | None) -> None:
    assert region_of(url) == region


def test_missing_credentials_or_region_are_a_one_line_error(on_stack: OnStack) -> None:
    nobody = one_line_error(on_stack("list", AWS_PROFILE="nowhere"))
    assert nobody == "upcall: there are no AWS credentials: run `aws configure`, or set AWS_PROFILE"
    assert one_line_error(on_stack("list", AWS_PROFILE="not-there")) == (
        "upcall: AWS: The config profile (not-there) could not be found"
    )
    keys = {"AWS_PROFILE": "nowhere", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    no_region = "upcall: there is no AWS region: set AWS_REGION, or a region in the profile"
    assert one_line_error(on_stack("list", **keys)) == no_region
    assert one_line_error(on_stack("list", "--stack", STACK, **keys)) == no_region


def test_a_rejected_caller_gets_a_hint(on_stack: OnStack, gateway: IamGateway) -> None:
    keys = {"AWS_ACCESS_KEY_ID": CALLER.access_key, "AWS_SECRET_ACCESS_KEY": "wrong"}
    variables = {**keys, "AWS_PROFILE": "nowhere", "AWS_REGION": REGION}
    assert one_line_error(on_stack("list", **variables)) == (
        f"upcall: {gateway.url} responded with 403: Forbidden; "
        "the credentials lack the permission execute-api:Invoke, or the API expects a token (--token)"
    )
    gateway.rejected.clear()


def test_a_url_and_a_token_need_no_aws_credentials(upcall: Upcall) -> None:
    denied = Response('{"message":"Unauthorized"}', 401)
    with canned_server(Response('{"runs": []}'), denied) as server:
        variables = {"UPCALL_STACK": server.url, "UPCALL_TOKEN": "ey.J.x"}
        listed = upcall("list", "--json", **variables)
        assert (listed.returncode, json.loads(listed.stdout)) == (0, []), listed.stderr
        assert one_line_error(upcall("list", **variables)) == (
            f"upcall: {server.url} responded with 401: Unauthorized; the token was not accepted"
        )
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer ey.J.x"] * 2


def test_credentials_are_sent_over_https_only(on_stack: OnStack) -> None:
    for url in ("http://example.com", "ftp://example.com", "https://"):
        assert one_line_error(on_stack("list", "--stack", url)) == (
            f"upcall: the URL of a stack must begin with https://; this is {url!r}"
        )


def test_an_empty_name_is_the_local_stack(on_stack: OnStack, gateway: IamGateway, tmp_path: Path) -> None:
    gateway.accepted.clear()
    listed = on_stack("list", "--stack", "", "--json", UPCALL_STATE_FOLDER=str(tmp_path))

    assert (listed.returncode, json.loads(listed.stdout)) == (0, []), listed.stderr
    assert gateway.accepted == []
