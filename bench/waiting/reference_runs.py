"""Executes the reference run on a local stack, and counts what it uses. For the process of a stack.

Each way runs twice: a first time without thinking, so that modules are imported and clients made, which
Lambda does once for many runs.
"""

import json
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from moto.events.models import EventsBackend

from bench.waiting.function_log import FunctionLog, total_gb_seconds, total_seconds
from bench.waiting.stack_process import execute_run, this_stack, wait_for_execution
from bench.waiting.table_usage import TableUsage
from bench.waiting.usage import RunCost, Usage
from cli.execution_history import get_history, parse_history
from local.config import AWS_ENVIRONMENT, Endpoints
from local.lambda_runtime import Function
from local.moto_patches import integration
from local.template import Template
from upcall.aws.step_functions import execution_arn

NAIVE_WORKFLOW = Path(__file__).parent / "naive_workflow.asl.json"
NAIVE_FUNCTIONS = ("start", "get", "create", "poll", "fetch", "submit")
NAIVE_HTTP_REQUESTS = 2
"""One starts the run, one reads its message."""

_counted_tables: dict[str, TableUsage] = {}


@dataclass(frozen=True)
class ReferenceRun:
    """A way to execute the reference run, with the models of its warm-up and of the run itself."""

    name: str
    warm_up_model: str
    model: str
    model_seconds: float


def measure_upcall(run: ReferenceRun) -> RunCost:
    """Execute the run with Upcall. No other run of Upcall may be on the stack."""
    stack, log, events = this_stack(), _function_log(), _published_events()
    execute_run(run.warm_up_model, 0)
    table, first, first_event = TableUsage(stack.deployed.table), len(log.invocations), len(events)
    record, seconds = execute_run(run.model, run.model_seconds)
    invocations = [each for each in log.invocations[first:] if not each.function.startswith("naive-")]
    functions = stack.deployed.functions
    routes = {functions[each.function].name for each in Template().routes() if each.function in functions}
    usage = Usage(
        transitions=_count_transitions(execution_arn(stack.endpoints.state_machine, record.run_id)),
        invocations=len(invocations),
        function_seconds=total_seconds(invocations),
        gb_seconds=total_gb_seconds(invocations),
        write_units=table.write_units,
        read_units=table.read_units,
        http_requests=sum(each.function in routes for each in invocations),
        events=len(events) - first_event,
    )
    return RunCost(run.name, usage, seconds)


def measure_naive(run: ReferenceRun, wait_seconds: int) -> RunCost:
    """Execute the run with the naive workflow, which waits so long before each poll."""
    log, prefix = _function_log(), f"naive-{wait_seconds}-"
    table, state_machine = create_table(prefix + "runs"), _create_workflow(prefix, wait_seconds)
    log.functions.update({prefix + name: _naive_function(prefix + name, name) for name in NAIVE_FUNCTIONS})

    def execute(model: str, model_seconds: float) -> tuple[str, float]:
        run_id = str(uuid.uuid4())
        prompt = f"Summarise {this_stack().endpoints.pages}/tides"
        event = {"run_id": run_id, "state_machine": state_machine, "model": model, "prompt": prompt}
        start = time.perf_counter()
        log.invoke(prefix + "start", json.dumps(event))
        arn = execution_arn(state_machine, run_id)
        wait_for_execution(arn, model_seconds)
        seconds = time.perf_counter() - start
        result = log.invoke(prefix + "get", json.dumps({"run_id": run_id, "table": table}))
        if result.is_error:
            raise SystemExit(f"the naive workflow failed: {result.payload}")
        return arn, seconds

    execute(run.warm_up_model, 0)
    first, table_usage = len(log.invocations), TableUsage(table)
    arn, seconds = execute(run.model, run.model_seconds)
    invocations = [each for each in log.invocations[first:] if each.function.startswith(prefix)]
    usage = Usage(
        transitions=_count_transitions(arn),
        invocations=len(invocations),
        function_seconds=total_seconds(invocations),
        gb_seconds=total_gb_seconds(invocations),
        write_units=table_usage.write_units,
        read_units=table_usage.read_units,
        http_requests=NAIVE_HTTP_REQUESTS,
    )
    return RunCost(run.name, usage, seconds)


def measure_all(upcall: ReferenceRun, naive: Sequence[tuple[ReferenceRun, int]]) -> list[RunCost]:
    """Execute the run with Upcall and with naive workflows, all at the same time."""
    _function_log(), _published_events()
    with ThreadPoolExecutor(len(naive) + 1) as pool:
        futures = [pool.submit(measure_naive, run, seconds) for run, seconds in naive]
        futures.append(pool.submit(measure_upcall, upcall))
        return [future.result() for future in futures]


def create_counted_table(name: str) -> Endpoints:
    """Create a table for a run of another process, and count its units. Returns where it is."""
    _counted_tables[name] = TableUsage(create_table(name))
    return this_stack().endpoints


def table_units(name: str) -> tuple[int, float]:
    """The write and the read units of a counted table."""
    return _counted_tables[name].write_units, _counted_tables[name].read_units


def create_table(name: str) -> str:
    """Create a table of runs without indexes."""
    boto3.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "run_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def _create_workflow(prefix: str, wait_seconds: int) -> str:
    definition = NAIVE_WORKFLOW.read_text("utf-8").replace('"${WaitSeconds}"', str(wait_seconds))
    response = boto3.client("stepfunctions").create_state_machine(
        name=prefix + "workflow",
        definition=definition.replace("${Prefix}", prefix).replace("${Table}", prefix + "runs"),
        roleArn="arn:aws:iam::123456789012:role/workflow",
    )
    return response["stateMachineArn"]


def _naive_function(name: str, handler: str) -> Function:
    endpoints = this_stack().endpoints
    environment = {
        **AWS_ENVIRONMENT,
        "AWS_ENDPOINT_URL": endpoints.aws,
        "OPENAI_BASE_URL": endpoints.openai,
    }
    return Function(name, f"bench.waiting.naive_functions.{handler}", 30, 256, environment)


def _count_transitions(arn: str) -> int:
    return parse_history(get_history(boto3.client("stepfunctions"), arn)).transitions


@cache
def _function_log() -> FunctionLog:
    """The invocations of this process, also those by the API."""
    stack = this_stack()
    log = FunctionLog(stack.runner.functions)
    integration.invoke_functions_with(log)
    stack.runner.invoke = log.invoke  # type: ignore[method-assign]
    return log


@cache
def _published_events() -> list[dict[str, Any]]:
    """The events that functions and workflows publish from now on. Events of AWS services cost nothing."""
    published: list[dict[str, Any]] = []
    put_events = EventsBackend.put_events

    def record(self: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        published.extend(each for each in events if not each["Source"].startswith("aws."))
        return put_events(self, events)

    EventsBackend.put_events = record  # type: ignore[method-assign]
    return published
