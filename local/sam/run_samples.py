"""`make sam-local`: each function with its sample event in its container, then the API of `sam local`.

Requires the result of `make sam-build`. Stops everything that it starts. Exits with 1 if a result is not as
expected.
"""

import json
import os
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

from local.config import ROOT, LocalStackConfig, machine_architecture
from local.http_server import HOST, PortInUse
from local.sam.docker import NoDocker, has_image
from local.sam.expected_results import EXPECTED, is_expected
from local.sam.samples import (
    AWS_PORT,
    PAGES_PORT,
    config_for_containers,
    put_sample_batch,
    put_sample_object,
    put_sample_open_calls,
    put_sample_run,
    sample,
)
from local.stack import LocalStack
from local.template import Template

SAM = str(ROOT / ".venv-sam" / "bin" / "sam")
IMAGE = "public.ecr.aws/lambda/python:"
CONFIG = LocalStackConfig(aws_port=AWS_PORT, pages_port=PAGES_PORT, model_seconds=0.05)

INVOKE_SECONDS = 300
"""The first invocation builds an image with the layers, and may pull its base image."""

START_SECONDS = 60
STOP_SECONDS = 30

BEFORE: dict[str, Callable[[LocalStack], None]] = {
    "CreateRunFunction": put_sample_run,
    "ReadObjectFunction": put_sample_object,
    "CancelRunFunction": put_sample_run,
    "RecordFailureFunction": put_sample_run,
    "WaitForAnswerFunction": put_sample_run,
    "ReceiveToolOutputsFunction": put_sample_open_calls,
    "ListBatchesFunction": put_sample_batch,
    "GetBatchFunction": put_sample_batch,
    "CancelBatchFunction": put_sample_batch,
}
"""What prepares the stack for the sample event of a function."""


class UnexpectedResult(Exception):
    """The result of a function, or a response of the API, is not as expected."""


class SamLocal:
    """The command `sam local`. It pulls no image that the engine has."""

    def __init__(self) -> None:
        version = Template().parameter_default("Runtime").removeprefix("python")
        self._flags = ["--skip-pull-image"] if has_image(f"{IMAGE}{version}-{machine_architecture()}") else []
        self._environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """The result of a function in its container. Raises UnexpectedResult if it is not JSON."""
        process = subprocess.run(  # noqa: S603
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
            return json.loads(process.stdout)
        except ValueError:
            raise UnexpectedResult(f"{process.stdout}{process.stderr[-3000:]}") from None

    @contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """A client of `sam local start-api`, which runs until the context ends."""
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        command = [SAM, "local", "start-api", "--port", str(port), *self._flags]
        process = subprocess.Popen(  # noqa: S603
            command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_until_listening(process, port)
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
    """The sample event of a function. That of `fetch` gets a page of this machine, which may be offline."""
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in function.removesuffix("Function"))
    event = sample(snake.lstrip("_"))
    if function == "FetchFunction":
        url = f"http://host.docker.internal:{PAGES_PORT}/tides"
        event["arguments"] = event["arguments"].replace("https://example.com", url)
    return event


def run_by_api(client: httpx.Client, stack: LocalStack) -> str:
    """Start a run by the API. Returns its message. Raises UnexpectedResult."""
    if (health := client.get("/health")).status_code != 200:
        raise UnexpectedResult(f"GET /health: {health.status_code} {health.text}")
    prompt = f"Summarise {stack.endpoints.pages}/tides"
    started = client.post("/runs", json={"prompt": prompt})
    if started.status_code != 202:
        raise UnexpectedResult(f"POST /runs: {started.status_code} {started.text}")
    run = client.get(f"/runs/{started.json()['run_id']}", params={"wait": 20}).json()
    if run.get("status") != "completed":
        raise UnexpectedResult(f"GET /runs/…: {run}")
    return str(run["message"])


def invoke_all(stack: LocalStack, sam: SamLocal, out: Console) -> bool:
    """Invoke every function of the stack and print the results. Whether all are as expected."""
    all_expected = True
    for function in [*EXPECTED, *sorted(set(stack.deployed.functions) - set(EXPECTED))]:
        if prepare := BEFORE.get(function):
            prepare(stack)
        start = time.monotonic()
        try:
            result = sam.invoke(function, event_for(function))
            if not is_expected(function, result):
                raise UnexpectedResult(json.dumps(result))
        except (UnexpectedResult, LookupError, TypeError, ValueError) as error:
            all_expected = False
            out.print(f"✗ {function}\n{error!r}", style="red", markup=False)
        else:
            out.print(f"✓ {time.monotonic() - start:5.1f} s  {function}", markup=False)
    return all_expected


def main() -> int:
    """Run everything. Returns the exit code."""
    out = Console(highlight=False, soft_wrap=True)
    try:
        with LocalStack(config_for_containers(CONFIG)) as stack:
            sam = SamLocal()
            all_expected = invoke_all(stack, sam, out)
            try:
                with sam.api() as client:
                    message = run_by_api(client, stack)
                out.print(f"✓ sam local start-api: {message.split(':')[0]}", markup=False)
            except (UnexpectedResult, httpx.HTTPError, ValueError) as error:
                all_expected = False
                out.print(f"✗ sam local start-api\n{error!r}", style="red", markup=False)
    except (NoDocker, PortInUse) as error:
        out.print(f"sam-local: {error} (stop `upcall local` first)", style="red", markup=False)
        return 2
    return 0 if all_expected else 1


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until something listens on the port.

    Raises UnexpectedResult if the process ends or takes too long.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.1)
    raise UnexpectedResult("it did not start")


if __name__ == "__main__":
    sys.exit(main())
