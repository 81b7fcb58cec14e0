"""Which modules a handler loads before its first event. `make bench` measures how long that takes."""

import pytest
from support.loaded_modules import loaded_modules

import tools
from local.config import ROOT

HANDLERS = sorted(path.stem for path in (ROOT / "src" / "handlers").glob("[!_]*.py"))

LOADS_OPENAI = {
    *("cancel_batch_runs", "create_run", "poll_run", "receive_webhook", "record_failure"),
    *("save_message", "submit_tool_outputs", "wait_for_change"),
}
"""Handlers that call the OpenAI server in every invocation. The others rarely do, or never."""

LOADS_HTTPX = {"deliver_callback", "export_trace"}
"""They post in every invocation."""

NEEDS_NO_AWS = {"list_assistants", "list_tools"}

ON_LAMBDA = {
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "TABLE_NAME": "table",
    "RETENTION_DAYS": "30",
}

HEAVY = {
    *("openai._client", "httpx", "httpx2", "boto3", "trafilatura", "lxml", "pypdf"),
    *("brotli", "backports.zstd", "charset_normalizer"),
}

UNUSED_OF_OPENAI = ("openai.resources", "openai.types.responses", "openai.types.chat", "openai.types.batch")
"""What the names of modules begin with that hold the SDK's resources and models, hundreds of them."""

LOADED_IF_INSTALLED = {"brotli", "backports.zstd"}
"""HTTP clients load them. On AWS they are in a layer that no handler has."""


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_loads_the_clients_that_it_always_needs_and_no_tool(handler: str) -> None:
    modules = loaded_modules(f"handlers.{handler}")

    expected = {"openai._client", "httpx2"} if handler in LOADS_OPENAI else set()
    expected |= {"httpx"} if handler in LOADS_HTTPX else set()
    assert (modules & HEAVY) - LOADED_IF_INSTALLED == expected
    assert not {name for name in modules if name.startswith(UNUSED_OF_OPENAI)}
    assert not modules & {f"tools.{name}" for name in tools.names()}


@pytest.mark.parametrize("handler", HANDLERS)
def test_on_lambda_a_handler_makes_its_aws_clients_while_it_starts(handler: str) -> None:
    """A function has a whole core then, and a small share of one in its first request."""
    modules = loaded_modules(f"handlers.{handler}", ON_LAMBDA)

    assert ("botocore.client" in modules) == (handler not in NEEDS_NO_AWS)


@pytest.mark.parametrize("name", tools.names())
def test_a_tool_loads_no_heavy_package_for_its_definition(name: str) -> None:
    assert not loaded_modules(f"tools.{name}") & HEAVY
