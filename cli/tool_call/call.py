"""Calls a tool in this process, with the environment and the time-out of its Lambda function.

A tool that uses AWS gets the running local stack (`upcall local`). If there is none, it gets an empty table
and an empty bucket in memory.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import tools
from cli.backends.local_stack import PAGES_PORT, find_running_endpoints
from cli.errors import CommandError
from cli.tool_call.arguments import parse_arguments
from cli.tool_call.event import event_by_hand
from cli.tool_call.function_settings import (
    FunctionSettings,
    physical_name,
    read_function_settings,
    read_template,
)
from local.config import AWS_ENVIRONMENT, STATE_FOLDER, aws_environment
from upcall.domain.tool_calls import ToolOutput
from upcall.observability.logging import SERVICE, PackageLogHandler
from upcall.tool import Tool
from upcall.web.ssrf import exempt_hosts

SAMPLE_PAGES_HOST = f"127.0.0.1:{PAGES_PORT}"
NO_AWS = "http://127.0.0.1:1"
"""Nothing listens here: a tool that needs no AWS must not reach the real one."""

TABLE_SETTINGS = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def call_tool(name: str, inputs: Sequence[str]) -> ToolOutput:
    """Call a tool with the arguments in `inputs`. Raises CommandError, and what the tool's handler raises."""
    if name not in tools.names():
        raise CommandError(f"there is no tool {name!r}; there is {', '.join(tools.names())}")
    tool = tools.find(name)
    event = event_by_hand(parse_arguments(tool, inputs))
    settings = read_function_settings(name)
    running = find_running_endpoints()
    with ExitStack() as exits:
        if running is not None:
            pages_host = running.pages.removeprefix("http://")
            exits.enter_context(_function_environment(settings, running.aws))
        else:
            pages_host = SAMPLE_PAGES_HOST
            resources = _used_resources(tool, settings)
            exits.enter_context(_function_environment(settings, None if resources else NO_AWS))
            if resources:
                exits.enter_context(_resources_in_memory(resources))
            if pages_host in event.arguments:
                exits.enter_context(_sample_pages())
        exits.enter_context(exempt_hosts([pages_host]))
        exits.enter_context(_log_file())
        return ToolOutput.model_validate(tool(event.model_dump(), _Context(settings.timeout_seconds)))


class _Context:
    """Lambda's context, as far as tools use it."""

    def __init__(self, timeout_seconds: float) -> None:
        self._deadline = time.monotonic() + timeout_seconds

    def get_remaining_time_in_millis(self) -> int:
        return round((self._deadline - time.monotonic()) * 1000)


def _used_resources(tool: Tool, settings: FunctionSettings) -> frozenset[str]:
    """Logical ids of the resources that a call uses. The table records calls with the effect "once"."""
    return settings.resources | ({"RunTable"} if tool.effect == "once" else set())


@contextmanager
def _function_environment(settings: FunctionSettings, aws_endpoint: str | None) -> Iterator[None]:
    """Replace the user's AWS and OpenAI variables by those of the function."""
    endpoint = {"AWS_ENDPOINT_URL": aws_endpoint} if aws_endpoint else {}
    with aws_environment({**AWS_ENVIRONMENT, **endpoint, **settings.environment}):
        for name in [name for name in os.environ if name.startswith("OPENAI_")]:
            del os.environ[name]
        yield


@contextmanager
def _resources_in_memory(logical_ids: frozenset[str]) -> Iterator[None]:
    """Stand in for AWS with moto, and create empty tables and buckets."""
    import boto3
    from moto import mock_aws

    resources = read_template()["Resources"]
    with mock_aws():
        for logical_id in logical_ids:
            name = physical_name(logical_id)
            if resources[logical_id]["Type"] == "AWS::DynamoDB::Table":
                properties = resources[logical_id]["Properties"]
                table = {key: properties[key] for key in TABLE_SETTINGS}
                boto3.client("dynamodb").create_table(TableName=name, **table)
            else:
                boto3.client("s3").create_bucket(Bucket=name)
        yield


@contextmanager
def _sample_pages() -> Iterator[None]:
    """Serve the sample pages, unless something else listens on their port."""
    from local import sample_pages
    from local.http_server import HttpServer, PortInUse

    try:
        server = HttpServer(sample_pages.create_app(), PAGES_PORT)
    except PortInUse:
        yield
        return
    try:
        yield
    finally:
        server.stop()


@contextmanager
def _log_file() -> Iterator[None]:
    """Write log lines of the tool, and of packages, to the file that the local stack also uses."""
    STATE_FOLDER.mkdir(parents=True, exist_ok=True)
    packages = PackageLogHandler()
    logging.getLogger().addHandler(packages)
    with (STATE_FOLDER / "functions.log").open("a", encoding="utf-8") as file:
        handlers = [
            each for each in logging.getLogger(SERVICE).handlers if isinstance(each, logging.StreamHandler)
        ]
        streams = [handler.setStream(file) for handler in handlers]
        try:
            yield
        finally:
            for handler, stream in zip(handlers, streams, strict=True):
                handler.setStream(stream or handler.stream)
            logging.getLogger().removeHandler(packages)
