"""Who may call which route, read from the template as API Gateway gets it, for both authorizations."""

from typing import Any

import pytest
from support.template_conditions import resolved

from local.config import ROOT
from local.template import Template

TEMPLATE = Template(ROOT)
PARAMETERS: dict[str, Any] = TEMPLATE.source["Parameters"]
ISSUER = "https://login.example.com/"

BY_IAM = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "x-amazon-apigateway-authtype": "awsSigv4",
}
BY_JWT = {
    "type": "oauth2",
    "x-amazon-apigateway-authorizer": {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": ISSUER, "audience": ["upcall", "other"]},
    },
}


def api(**parameters: str) -> dict[str, Any]:
    """The OpenAPI document of a stack with these parameters, defaults for the others."""
    body = TEMPLATE.transformed["Resources"]["HttpApi"]["Properties"]["Body"]
    document: dict[str, Any] = resolved(body, TEMPLATE.transformed, parameters)
    return document


def scheme(document: dict[str, Any], method: str, path: str) -> Any:
    """What a route demands of a caller: a security scheme, or None where it is open."""
    ((name, scopes),) = document["paths"][path][method.lower()]["security"][0].items()
    assert scopes == []
    return None if name == "NONE" else document["components"]["securitySchemes"][name]


@pytest.mark.parametrize("parameters", [{}, {"Authorization": "iam"}])
def test_every_route_but_health_demands_a_signature_by_default(parameters: dict[str, str]) -> None:
    document = api(**parameters)

    demanded = {
        (each.method, each.path): scheme(document, each.method, each.path) for each in TEMPLATE.routes()
    }
    assert demanded.pop(("GET", "/health")) is None
    assert demanded
    assert all(each == BY_IAM for each in demanded.values())


def test_every_route_but_health_demands_a_token_where_the_operator_says_so() -> None:
    document = api(Authorization="jwt", JwtIssuer=ISSUER, JwtAudience="upcall,other")

    demanded = {
        (each.method, each.path): scheme(document, each.method, each.path) for each in TEMPLATE.routes()
    }
    assert demanded.pop(("GET", "/health")) is None
    assert demanded
    for route, each in demanded.items():
        assert each == BY_JWT, f"{route} needs a line in the paths of HttpApi in template.yaml"


def test_each_route_has_one_demand() -> None:
    for methods in api()["paths"].values():
        for operation in methods.values():
            assert len(operation["security"]) == 1


def test_a_route_that_the_list_forgets_demands_a_signature() -> None:
    auth = TEMPLATE.source["Resources"]["HttpApi"]["Properties"]["Auth"]
    assert auth == {"EnableIamAuthorizer": True, "DefaultAuthorizer": "AWS_IAM"}


def test_the_list_has_no_route_that_is_not_there() -> None:
    assert all(
        "x-amazon-apigateway-integration" in operation
        for methods in api()["paths"].values()
        for operation in methods.values()
    )


def test_tokens_without_an_issuer_or_an_audience_are_refused_before_anything_is_deployed() -> None:
    (rule,) = TEMPLATE.transformed["Rules"].values()
    needed = [each["Assert"]["Fn::Not"][0]["Fn::Equals"] for each in rule["Assertions"]]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Authorization"}, "jwt"]}
    assert needed == [[{"Ref": "JwtIssuer"}, ""], [{"Ref": "JwtAudience"}, ""]]


@pytest.mark.parametrize(
    "function",
    ["StartRunFunction", "GetRunFunction", "ListRunsFunction", "ListCallsFunction", "CancelRunFunction"],
)
def test_the_functions_of_runs_are_told_whose_runs_a_caller_sees(function: str) -> None:
    variables = TEMPLATE.source["Resources"][function]["Properties"]["Environment"]["Variables"]

    assert variables["TENANCY"] == {"Ref": "Tenancy"}
    assert (PARAMETERS["Tenancy"]["Default"], PARAMETERS["Tenancy"]["AllowedValues"]) == (
        "many",
        ["many", "one"],
    )
