"""`upcall run`, `list`, `show` and `cancel` on a deployed stack, which is found through CloudFormation."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.canned_server import canned
from support.iam_gateway import (
    CALLER,
    REGION,
    Gateway,
    gateway,
)
from werkzeug.wrappers import Response

from cli.backends.deployed import region_of
from local.config import ROOT
from local.openai_emulator import Fail, Hang
from local.stack import LocalStack

from .conftest import PATIENCE_SECONDS, Finished, Upcall, problem

STACK = "upcall-elsewhere"
OTHER = "of-somebody-else"

OnStack = Callable[..., Finished]


@pytest.fixture(scope="module")
def gate(laptop: LocalStack) -> Iterator[Gateway]:
    """The API of the deployed stack."""
    with gateway(laptop.addresses.api) as found:
        yield found


@pytest.fixture(scope="module")
def stacks(laptop: LocalStack, gate: Gateway) -> Iterator[None]:
    """Two stacks in another region than the laptop's: one of Upcall's, and one that is not."""
    cloudformation = boto3.client("cloudformation", region_name=REGION)
    for name, outputs in ((STACK, {"ApiUrl": {"Value": gate.url}}), (OTHER, {"Else": {"Value": "x"}})):
        template: dict[str, Any] = {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    yield
    for name in (STACK, OTHER):
        cloudformation.delete_stack(StackName=name)


@pytest.fixture(scope="module")
def user(laptop: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a user who has a profile of AWS's, with a region and credentials."""
    folder = tmp_path_factory.mktemp("aws")
    (folder / "config").write_text(f"[profile caller]\nregion = {REGION}\n[profile nowhere]\n", "utf-8")
    (folder / "credentials").write_text(
        f"[caller]\naws_access_key_id = {CALLER.access_key}\naws_secret_access_key = {CALLER.secret_key}\n",
        "utf-8",
    )
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_PROFILE": "caller",
        "AWS_ENDPOINT_URL_CLOUDFORMATION": laptop.addresses.aws,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture(scope="module")
def on_stack(upcall: Upcall, user: dict[str, str], gate: Gateway) -> OnStack:
    """Run a command on the stack whose URL the user's variables name."""

    def run(*arguments: str, **variables: str) -> Finished:
        return upcall(*arguments, **{**user, "UPCALL_STACK": gate.url, **variables})

    return run


@pytest.mark.usefixtures("stacks")
def test_a_stack_is_found_by_its_name_and_runs_a_prompt_to_its_message(
    on_stack: OnStack, gate: Gateway, laptop: LocalStack
) -> None:
    run = on_stack("run", f"Fasse zusammen: {laptop.addresses.pages}/tides", "--stack", STACK)

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Why the tide comes twice a day: ")
    first, prompt, *progress, _, _, last = run.stderr.splitlines()
    run_id, where = first.split()
    assert (where, prompt.startswith("Fasse zusammen")) == (gate.url, True)
    assert [line.split()[3] for line in progress] == ["Round", "fetch"]
    assert last.startswith("completed · 1 round · 1 call · ")
    assert last.endswith(" s")  # neither transitions nor dollars: the API does not tell them
    assert f"GET /runs/{run_id}?wait=20" in gate.let_in

    (line, *_) = on_stack("list").stdout.splitlines()
    assert line.split("\t")[:2] == [run_id, "completed"]
    shown = on_stack("show", run_id).stdout
    assert run.stdout.strip() in shown
    assert "round 1  ✓ fetch http://127.0.0.1:" in shown
    assert gate.refused == []


def test_each_command_prints_json_for_machines(on_stack: OnStack, laptop: LocalStack) -> None:
    model = laptop.emulator.script(Fail("server_error", "The model is on fire."))
    run = on_stack("run", "Go.", "--model", model, "--json")
    outcome = json.loads(run.stdout)
    assert (run.returncode, outcome["status"], outcome["ledger"]) == (1, "failed", [])
    assert "transitions" not in outcome

    run_id = outcome["run_id"]
    shown = json.loads(on_stack("show", run_id, "--json").stdout)
    assert (shown["failure"]["message"], shown["ledger"]) == ("The model is on fire.", [])
    listed = json.loads(on_stack("list", "--status", "failed", "--limit", "1", "--json").stdout)
    assert [each["run_id"] for each in listed] == [run_id]
    assert problem(on_stack("cancel", run_id)) == f"upcall: run {run_id} has ended already: it is failed"


def test_a_command_that_is_interrupted_leaves_the_run_to_be_cancelled(
    on_stack: OnStack,
    environment: dict[str, str],
    user: dict[str, str],
    gate: Gateway,
    laptop: LocalStack,
) -> None:
    command = [sys.executable, "-m", "cli.main", "run", "Go.", "--stack", gate.url]
    process = subprocess.Popen(
        [*command, "--model", laptop.emulator.script(Hang())],
        cwd=ROOT,
        env={**environment, **user},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    run_id = process.stderr.readline().split()[0]
    while f"GET /runs/{run_id}?wait=20" not in gate.let_in:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 2
    assert told.splitlines()[-1] == f"upcall: {run_id} goes on; `upcall cancel {run_id}` ends it"
    cancelled = on_stack("cancel", run_id)
    assert (cancelled.returncode, cancelled.stdout) == (0, f"{run_id} is cancelled\n")


def test_a_run_on_a_stack_takes_a_prompt(on_stack: OnStack) -> None:
    assert problem(on_stack("run")) == (
        "upcall: a run on a stack takes a prompt; the sample page is the laptop's"
    )
    assert problem(on_stack("run", " ")) == "upcall: prompt: must not be empty"


@pytest.mark.usefixtures("stacks")
def test_a_stack_that_is_none_of_upcalls_is_one_line(on_stack: OnStack) -> None:
    assert problem(on_stack("list", "--stack", "nobodys")) == (
        f"upcall: there is no stack 'nobodys' in {REGION}"
    )
    assert problem(on_stack("list", "--stack", OTHER)) == (
        f"upcall: the stack '{OTHER}' has no output ApiUrl: it is not one of Upcall's, or not yet ready"
    )


def test_whoever_may_not_look_up_stacks_is_told_of_the_url(on_stack: OnStack) -> None:
    denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>No.</Message></Error></ErrorResponse>"
    with canned(Response(denied, 403)) as server:
        listed = on_stack("list", "--stack", STACK, AWS_ENDPOINT_URL_CLOUDFORMATION=server.url)
    assert problem(listed) == "upcall: AWS does not let you look up stacks: give --stack the API's URL"


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://a1b2c3.execute-api.eu-central-1.amazonaws.com", "eu-central-1"),
        ("https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn/stage", "cn-north-1"),
        ("https://runs.example.com", None),
        ("https://runs.example.com/.execute-api.eu-central-1.amazonaws.com", None),
    ],
)
def test_the_region_is_that_of_the_address(url: str, region: str | None) -> None:
    assert region_of(url) == region


def test_whoever_has_no_credentials_or_region_is_told_in_one_line(on_stack: OnStack) -> None:
    nobody = problem(on_stack("list", AWS_PROFILE="nowhere"))
    assert nobody == "upcall: there are no AWS credentials: run `aws configure`, or set AWS_PROFILE"
    assert problem(on_stack("list", AWS_PROFILE="not-there")) == (
        "upcall: AWS: The config profile (not-there) could not be found"
    )
    keys = {"AWS_PROFILE": "nowhere", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    no_region = "upcall: there is no AWS region: set AWS_REGION, or one in the profile"
    assert problem(on_stack("list", **keys)) == no_region
    assert problem(on_stack("list", "--stack", STACK, **keys)) == no_region


def test_whoever_is_not_let_in_is_told_what_it_takes(on_stack: OnStack, gate: Gateway) -> None:
    keys = {"AWS_ACCESS_KEY_ID": CALLER.access_key, "AWS_SECRET_ACCESS_KEY": "wrong"}
    variables = {**keys, "AWS_PROFILE": "nowhere", "AWS_REGION": REGION}
    assert problem(on_stack("list", **variables)) == (
        f"upcall: {gate.url} answers 403: Forbidden; "
        "the credentials may not call it (execute-api:Invoke), or it wants a token (--token)"
    )
    gate.refused.clear()


def test_a_url_and_a_token_take_nothing_of_aws(upcall: Upcall) -> None:
    denied = Response('{"message":"Unauthorized"}', 401)
    with canned(Response('{"runs": []}'), denied) as server:
        variables = {"UPCALL_STACK": server.url, "UPCALL_TOKEN": "ey.J.x"}
        listed = upcall("list", "--json", **variables)
        assert (listed.returncode, json.loads(listed.stdout)) == (0, []), listed.stderr
        assert problem(upcall("list", **variables)) == (
            f"upcall: {server.url} answers 401: Unauthorized; the token is not accepted"
        )
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer ey.J.x"] * 2


def test_credentials_are_not_sent_in_the_clear(on_stack: OnStack) -> None:
    for url in ("http://example.com", "ftp://example.com", "https://"):
        assert problem(on_stack("list", "--stack", url)) == (
            f"upcall: a stack's URL begins with https://, not as {url!r} does"
        )


def test_an_empty_name_is_the_laptop(on_stack: OnStack, gate: Gateway, tmp_path: Path) -> None:
    gate.let_in.clear()
    listed = on_stack("list", "--stack", "", "--json", UPCALL_STATE_FOLDER=str(tmp_path))

    assert (listed.returncode, json.loads(listed.stdout)) == (0, []), listed.stderr
    assert gate.let_in == []
