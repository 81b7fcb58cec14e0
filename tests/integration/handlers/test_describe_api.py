"""The API's description: its routes and their responses."""

import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from openapi_spec_validator import validate
from support.sample_events import sample_event

from handlers import describe_api
from local.config import ROOT
from local.template import Template


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    response = describe_api.lambda_handler(sample_event("describe_api"), LambdaContext())
    document: dict[str, Any] = json.loads(response["body"])
    return document


@pytest.fixture(scope="module")
def template() -> Template:
    return Template(ROOT)


def test_it_is_openapi_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1.")
    validate(description)


def test_it_has_the_routes_of_the_template_and_no_others(
    description: dict[str, Any], template: Template
) -> None:
    routes = {(route.method, route.path) for route in template.routes()}
    described = {
        (method.upper(), path) for path, methods in description["paths"].items() for method in methods
    }

    assert described == routes - {("GET", "/openapi.json")}


def test_every_error_is_a_problem_document(description: dict[str, Any]) -> None:
    for methods in description["paths"].values():
        for operation in methods.values():
            assert {"400", "403", "500"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                (content_type,) = response["content"]
                expected = "application/json" if status < "400" else "application/problem+json"
                assert content_type == expected


def test_the_copy_in_the_documentation_is_the_same(description: dict[str, Any]) -> None:
    copy = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))

    assert copy == description, "run: make openapi"


def test_health_needs_no_authorization_and_answers_ok(template: Template) -> None:
    event = sample_event("describe_api", rawPath="/health")
    event["requestContext"]["http"]["path"] = "/health"
    response = describe_api.lambda_handler(event, LambdaContext())
    routes = template.source["Resources"]["DescribeApiFunction"]["Properties"]["Events"]

    assert json.loads(response["body"]) == {"status": "ok"}
    assert routes["Health"]["Properties"]["Auth"] == {"Authorizer": "NONE"}
    assert "Auth" not in routes["DescribeApi"]["Properties"]
