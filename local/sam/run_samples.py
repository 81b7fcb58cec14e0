"""`make sam-local`: each function in its container with its sample, then the API of `sam local start-api`.

Expects what `make sam-build` has built. Nothing that it starts is left; exits with 1 if an answer was wrong.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from rich.console import Console

from local.config import ROOT, Profile
from local.http_server import HOST, PortTaken
from local.sam.docker import NoDocker, has_image
from local.sam.expected_answers import ANSWERS, judge
from local.sam.samples import (
    AWS_PORT,
    PAGES_PORT,
    for_containers,
    hold_object,
    hold_run,
    sample,
)
from local.stack import LocalStack

SAM = str(ROOT / ".venv-sam" / "bin" / "sam")
IMAGE = "public.ecr.aws/lambda/python:3.13-"
PROFILE = Profile(aws_port=AWS_PORT, pages_port=PAGES_PORT, thinking_seconds=0.05)

INVOKE_SECONDS = 300
"""The first invocation builds an image with the layers, and may pull the one below it."""

START_SECONDS = 60
STOP_SECONDS = 30

BEFORE: dict[str, Callable[[LocalStack], None]] = {
    "CreateRunFunction": hold_run,
    "ReadObjectFunction": hold_object,
    "CancelRunFunction": hold_run,
    "RecordFailureFunction": hold_run,
}
"""What is made true for a function's sample before it is invoked."""


class WrongAnswer(Exception):
    """What a function or the API said is not what its sample asks for."""


class SamLocal:
    """SAM's own command, with the laptop cloud's variables and no image pulled that is there."""

    def __init__(self) -> None:
        machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
        self._flags = ["--skip-pull-image"] if has_image(IMAGE + machine) else []
        self._environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """What a function answers to an event, in its container. Raises WrongAnswer if it is no JSON."""
        done = subprocess.run(  # noqa: S603
            [SAM, "local", "invoke", function, "-e", "-", *self._flags],
            cwd=ROOT,
            env=self._environment,
            input=json.dumps(event),
            capture_output=True,
            text=True,
            timeout=INVOKE_SECONDS,
            check=False,
        )
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise WrongAnswer(f"{done.stdout}{done.stderr[-3000:]}") from None

    @contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """A client of `sam local start-api`, as long as it is up."""
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        command = [SAM, "local", "start-api", "--port", str(port), *self._flags]
        process = subprocess.Popen(  # noqa: S603
            command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(process, port)
            url = f"http://{HOST}:{port}"
            with httpx.Client(base_url=url, timeout=INVOKE_SECONDS, trust_env=False) as client:
                yield client
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def event_for(function: str) -> dict[str, Any]:
    """The function's sample as it is. `fetch` alone gets another page, for the laptop may be offline."""
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in function.removesuffix("Function"))
    event = sample(snake.lstrip("_"))
    if function == "FetchFunction":
        url = f"http://host.docker.internal:{PAGES_PORT}/tides"
        event["arguments"] = event["arguments"].replace("https://example.com", url)
    return event


def call_api(client: httpx.Client, cloud: LocalStack) -> str:
    """A run through the API to its message, which comes back. Raises WrongAnswer."""
    if (health := client.get("/health")).status_code != 200:
        raise WrongAnswer(f"GET /health: {health.status_code} {health.text}")
    prompt = f"Summarise {cloud.addresses.pages}/tides"
    started = client.post("/runs", json={"prompt": prompt})
    if started.status_code != 202:
        raise WrongAnswer(f"POST /runs: {started.status_code} {started.text}")
    shown = client.get(f"/runs/{started.json()['run_id']}", params={"wait": 20}).json()
    if shown.get("status") != "completed":
        raise WrongAnswer(f"GET /runs/…: {shown}")
    return str(shown["message"])


def invoke_all(cloud: LocalStack, sam: SamLocal, out: Console) -> bool:
    """Invoke every function of the stack and judge its answer; whether all were right."""
    right = True
    for function in [*ANSWERS, *sorted(set(cloud.stack.functions) - set(ANSWERS))]:
        if prepare := BEFORE.get(function):
            prepare(cloud)
        start = time.monotonic()
        try:
            answer = sam.invoke(function, event_for(function))
            if not judge(function)(answer):
                raise WrongAnswer(json.dumps(answer))
        except (WrongAnswer, LookupError, TypeError, ValueError) as error:
            right = False
            out.print(f"✗ {function}\n{error!r}", style="red", markup=False)
        else:
            out.print(f"✓ {time.monotonic() - start:5.1f} s  {function}", markup=False)
    return right


def main() -> int:
    """Do all of it and say how it went, by the exit code too."""
    out = Console(highlight=False, soft_wrap=True)
    try:
        with LocalStack(for_containers(PROFILE)) as cloud:
            sam = SamLocal()
            right = invoke_all(cloud, sam, out)
            try:
                with sam.api() as client:
                    message = call_api(client, cloud)
                out.print(f"✓ sam local start-api: {message.split(':')[0]}", markup=False)
            except (WrongAnswer, httpx.HTTPError, ValueError) as error:
                right = False
                out.print(f"✗ sam local start-api\n{error!r}", style="red", markup=False)
    except (NoDocker, PortTaken) as error:
        out.print(f"sam-local: {error} (`upcall local` must not be up meanwhile)", style="red", markup=False)
        return 2
    return 0 if right else 1


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until something listens on the port. Raises WrongAnswer if the process ends, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.1)
    raise WrongAnswer("it did not come up")


if __name__ == "__main__":
    sys.exit(main())
