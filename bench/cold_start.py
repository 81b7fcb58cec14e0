"""Measures the cold start of each function with the code and the layers of a build.

`python -m bench.cold_start BUILD PYTHON [PLOT]`: a folder that `sam build` has made for this machine, with
bytecode; the functions' Python; a file for the plot.

A cold start has two parts: init, which imports the handler with a whole core, and the first request, for
which the function has the share of a core that its memory gives it. The request is the function's sample
event, and a local stack answers what it sends: over plain HTTP, without any distance. Each function is
measured with the build's bytecode and without any, and as a ratio to the OpenAI client alone.
"""

import json
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.cold_start_report import BASELINE, ColdStart, draw_svg, print_table
from bench.cpu_limit import CpuLimit, NoCpuLimit, cpu_limit, share_of
from local.config import ROOT, LocalStackConfig
from local.sam.expected_results import EXPECTED, is_expected
from local.sam.run_samples import BEFORE, event_for
from local.sam.samples import repository_of, sample
from local.stack import LocalStack
from local.template import Template
from upcall.aws.secrets_manager import get_secret
from upcall.domain.waiting_task import WaitingTask
from upcall.web.standard_webhooks import signature_headers

BASELINE_MB = 256
WEBHOOK_FUNCTION, WEBHOOK_SECRET_NAME = "ReceiveWebhookFunction", "openai-webhook"
FUNCTIONS_PER_BASELINE = 6
REPETITIONS = 3
"""Of the measurements with bytecode. Those without it are made once: they take most of the time."""


@dataclass(frozen=True)
class Target:
    """What a function is started from: the interpreter, and the folders of the build."""

    python: str
    build: Path
    bytecode: bool


def main() -> None:
    """Measure all functions, print the table and draw the plot."""
    build, python = Path(sys.argv[1]).resolve(), shutil.which(sys.argv[2])
    if python is None:
        raise SystemExit(f"{sys.argv[2]} is missing")
    version = subprocess.run([python, "-VV"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    limits = (False, True) if can_limit() else (False,)
    with build_without_bytecode(build) as plain:
        cold_starts = []
        for repetition in range(REPETITIONS):
            for limited in limits:
                cold_starts += measure_in_new_process(Target(python, build, True), limited)
                if repetition == 0:
                    cold_starts += measure_in_new_process(Target(python, plain, False), limited)
    print_table(cold_starts, version)
    if len(sys.argv) > 3:
        Path(sys.argv[3]).write_text(draw_svg(cold_starts), "utf-8")


def can_limit() -> bool:
    """Whether processes can be limited to a share of a core. Says if not."""
    try:
        with cpu_limit(0.5):
            return True
    except NoCpuLimit as error:
        print(f"{error}. Times at a share of a core are computed: processor time / share.", file=sys.stderr)  # noqa: T201
        return False


@contextmanager
def build_without_bytecode(build: Path) -> Iterator[Path]:
    """A copy of the build without bytecode, beside it."""
    with tempfile.TemporaryDirectory(dir=build.parent) as folder:
        copy = Path(folder) / "build"
        shutil.copytree(build, copy, ignore=shutil.ignore_patterns("__pycache__"))
        yield copy


def measure_in_new_process(target: Target, limited: bool) -> list[ColdStart]:
    """Measure all functions. moto keeps its state in the process, and the sample events need a new stack."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure_all, target, limited).result()


def measure_all(target: Target, limited: bool) -> list[ColdStart]:
    """The cold start of each function, as a run invokes them, with baselines in between."""
    logging.disable()  # of the local stack, whose runs go on while it stops
    cold_starts = []
    with tempfile.TemporaryDirectory() as folder:
        config = LocalStackConfig(
            state_folder=Path(folder),
            first_turn=1,
            model_seconds=0.05,
            parameters={"OpenAIWebhookSecretName": WEBHOOK_SECRET_NAME},
        )
        with LocalStack(config) as stack:
            for number, name in enumerate([*EXPECTED, WEBHOOK_FUNCTION]):
                if number % FUNCTIONS_PER_BASELINE == 0:
                    cold_starts.append(measure_baseline(stack, target, limited))
                if prepare := BEFORE.get(name):
                    prepare(stack)
                cold_starts.append(measure_function(stack, name, target, limited))
    return cold_starts


def measure_function(stack: LocalStack, name: str, target: Target, limited: bool) -> ColdStart:
    """The cold start of a function with its sample event."""
    function = stack.deployed.functions[name]
    resource = Template().source["Resources"][name]["Properties"]
    layers = ["RuntimeLayer", *(layer["Ref"] for layer in resource.get("Layers", []))]
    event = event_for(name)
    if name == "FetchFunction":
        event["arguments"] = json.dumps({"url": f"{stack.endpoints.pages}/tides"})
    if name == WEBHOOK_FUNCTION:
        prepare_webhook(stack, event)
    order = {
        "path": [str(target.build / name), *(str(target.build / layer / "python") for layer in layers)],
        "handler": function.handler,
        "event": event,
        "exempt_hosts": function.exempt_hosts,
    }
    parts = start(target, order, function.environment, function.memory_mb, limited)
    if not is_expected(name, parts[1]["result"]):
        raise SystemExit(f"{name}: {parts[1]['result']}")
    return cold_start(name, function.memory_mb, target, limited, parts)


def prepare_webhook(stack: LocalStack, event: dict[str, Any]) -> None:
    """Let a task wait for the sample event of a webhook, and sign it: a signature holds for minutes."""
    task = WaitingTask(**sample("wait_for_change"), task_token="of-nobody", since=datetime.now(UTC))  # noqa: S106
    repository_of(stack).add_waiting_task(task.upstream_run.ids["response_id"], task)
    secret, message_id = get_secret(WEBHOOK_SECRET_NAME), event["headers"]["webhook-id"]
    event["headers"] |= signature_headers(secret, message_id, event["body"].encode())


def measure_baseline(stack: LocalStack, target: Target, limited: bool) -> ColdStart:
    """The cold start of a function that has the OpenAI client alone."""
    order = {
        "path": [str(target.build / "RuntimeLayer" / "python"), str(ROOT / "bench")],
        "handler": "openai_alone.lambda_handler",
        "event": {},
        "exempt_hosts": [],
    }
    environment = {"OPENAI_BASE_URL": stack.endpoints.openai}
    return cold_start(
        BASELINE, BASELINE_MB, target, limited, start(target, order, environment, BASELINE_MB, limited)
    )


def cold_start(
    name: str, memory_mb: int, target: Target, limited: bool, parts: list[dict[str, Any]]
) -> ColdStart:
    """The figures of a process."""
    init, request, end = parts
    return ColdStart(
        function=name,
        memory_mb=memory_mb,
        bytecode=target.bytecode,
        limited=limited,
        init_cpu=init["cpu"],
        init_wall=init["wall"],
        request_cpu=request["cpu"] + end["cpu"],
        request_wall=request["wall"],
        used_mb=end["used_mb"],
    )


def start(
    target: Target, order: Mapping[str, Any], environment: Mapping[str, str], memory_mb: int, limited: bool
) -> list[dict[str, Any]]:
    """Start a function as Lambda does, and send it the request. Returns what it reports."""
    if not limited:
        return _start(target, order, environment, None)
    with cpu_limit(share_of(memory_mb)) as limit:
        return _start(target, order, environment, limit)


def _start(
    target: Target, order: Mapping[str, Any], environment: Mapping[str, str], limit: CpuLimit | None
) -> list[dict[str, Any]]:
    variables = {**environment, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "PATH": "/usr/bin:/bin"}
    command = [target.python, "-I", "-S", "-B", str(ROOT / "bench" / "cold_start_process.py")]
    with subprocess.Popen(  # noqa: S603
        command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin  # noqa: S101  # a pipe
        assert process.stdout  # noqa: S101
        print(json.dumps(order), file=process.stdin, flush=True)
        parts = [process.stdout.readline()]
        if limit:
            limit.add(process.pid)
        print(file=process.stdin, flush=True)
        parts += process.stdout.readlines()
    if process.returncode or len(parts) != 3:
        raise SystemExit(f"{order['handler']} failed: {parts}")
    return [json.loads(part) for part in parts]


if __name__ == "__main__":
    main()
