"""The whole API as its description tells of it, asked much that fits and much that does not."""

import json
from typing import Any

import pytest
import schemathesis
import schemathesis.wfc.escalation  # which it would load while threads parse: Python 3.11 may fail at that
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.config import ROOT
from local.stack import LocalStack

DESCRIBED = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
ROUTES = [
    (method, path, mode)
    for path, methods in DESCRIBED["paths"].items()
    for method, operation in methods.items()
    for mode in GenerationMode
    if mode.is_positive or operation.get("parameters")  # to a route that takes nothing all is right
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PATIENT = 25


@pytest.fixture(scope="module")
def api(laptop: LocalStack) -> Any:
    return schemathesis.openapi.from_url(f"{laptop.addresses.api}/openapi.json")


@pytest.mark.parametrize(("method", "path", "mode"), ROUTES)
def test_every_answer_is_one_that_the_description_promises(
    api: Any, method: str, path: str, mode: GenerationMode
) -> None:
    operation = api[path][method]

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if case.query and case.query.get("wait") in range(1, PATIENT + 1):
            case.query["wait"] = 0  # nobody has the time
        case.call_and_validate(checks=CHECKS, timeout=60)

    ask()
