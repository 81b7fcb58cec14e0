"""The API conforms to its OpenAPI description, for requests that are valid by it and for many that are not."""

import json
from typing import Any

import pytest
import schemathesis
import schemathesis.wfc.escalation  # otherwise loaded while threads parse, at which Python 3.11 may fail
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs

from local.config import ROOT
from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack

DESCRIPTION = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
ROUTES = [
    (method, path, mode)
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
    for mode in GenerationMode
    if mode.is_positive or operation.get("parameters")  # no request is invalid for a route without parameters
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MAX_WAIT_SECONDS = 25
MAX_LIMIT = 100


@pytest.fixture(scope="module")
def api(local_stack: LocalStack) -> Any:
    return schemathesis.openapi.from_url(f"{local_stack.endpoints.api}/openapi.json")


@pytest.mark.parametrize(("method", "path", "mode"), ROUTES)
def test_every_response_conforms_to_the_description(
    api: Any, method: str, path: str, mode: GenerationMode
) -> None:
    operation = api[path][method]

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        if case.query and case.query.get("wait") in range(1, MAX_WAIT_SECONDS + 1):
            case.query["wait"] = 0
        if case.path == "/runs" and case.query and case.query.get("limit") in range(1, MAX_LIMIT + 1):
            case.query["limit"] = min(case.query["limit"], 3)  # each run of a page is checked in pure Python
        case.call_and_validate(checks=CHECKS, timeout=60)

    send()


def test_responses_to_answers_conform_to_the_description(api: Any, runs: Runs) -> None:
    """Examples hardly ever find a call that waits."""
    calls = CallTools((Call.of("notify", message="Hello."), Call.of("lookup", order=1)))
    run_id = runs.start_script(calls, Say("Done."), assistant="announcer", tools=[LOOKUP_TOOL])
    approval, output = runs.wait_for_open_calls(run_id, 2)

    def send(path: str, body: dict[str, Any]) -> int:
        parameters = {"run_id": run_id, "call": approval["id"]}
        names = [name for name in parameters if f"{{{name}}}" in path]
        case = api[path]["POST"].Case(
            path_parameters={name: parameters[name] for name in names},
            body=body,
            media_type="application/json",
        )
        return int(case.call_and_validate(checks=CHECKS, timeout=60).status_code)

    decision = {"decision": "approve", "arguments_digest": approval["arguments_digest"]}
    outputs = {"outputs": [{"call_id": output["call_id"], "output": "42"}]}
    for path, body, other in (
        (
            "/runs/{run_id}/calls/{call}/decision",
            decision,
            {**decision, "decision": "deny", "reason": "No."},
        ),
        ("/runs/{run_id}/tool_outputs", outputs, {"outputs": [{**outputs["outputs"][0], "output": "43"}]}),
    ):
        assert [send(path, each) for each in (body, body, other)] == [200, 200, 409]
    assert runs.wait_for_end(run_id).run["status"] == "completed"
