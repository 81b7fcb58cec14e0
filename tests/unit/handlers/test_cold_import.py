"""What a handler loads before its first event; how long that takes is for `make bench`."""

import subprocess
import sys

import pytest

import tools
from local.config import ROOT

HANDLERS = sorted(path.stem for path in (ROOT / "src" / "handlers").glob("[!_]*.py"))
WITH_OPENAI = {
    "cancel_run",
    "close_run",
    "create_run",
    "poll_run",
    "record_failure",
    "save_message",
    "submit_tool_outputs",
}


HEAVY = {"boto3", "httpx", "trafilatura", "lxml", "pypdf", "brotli", "backports.zstd", "charset_normalizer"}


HTTPX = {"call_back"}
"""What posts to strangers cannot do without the guarded network."""


LOADED_IF_INSTALLED = {"brotli", "backports.zstd"}
"""By the OpenAI client; on AWS they are in a layer that no handler has."""


def loaded(module: str) -> set[str]:
    code = f"import {module}, sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_loads_no_typed_resources_no_other_client_and_no_tool(handler: str) -> None:
    modules = loaded(f"handlers.{handler}")

    assert not {name for name in modules if name.startswith("openai.resources.")}
    allowed = LOADED_IF_INSTALLED | ({"httpx"} if handler in HTTPX else set())
    assert not modules & {*HEAVY, *(f"tools.{name}" for name in tools.names())} - allowed
    assert ("openai" in modules) == (handler in WITH_OPENAI)


@pytest.mark.parametrize("name", tools.names())
def test_reading_a_tools_definition_loads_nothing_of_what_it_works_with(name: str) -> None:
    assert not loaded(f"tools.{name}") & {*HEAVY, "openai"}
