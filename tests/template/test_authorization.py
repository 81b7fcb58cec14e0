"""The authorization of each route, read from the template as API Gateway gets it, for IAM and for JWT."""

from typing import Any

import pytest
from support.template_conditions import resolve
from support.templates import TEMPLATE, environment_of

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


def openapi_document(**parameters: str) -> dict[str, Any]:
    """The OpenAPI document of a stack with these parameters and the defaults of the others."""
    body = TEMPLATE.transformed["Resources"]["HttpApi"]["Properties"]["Body"]
    document: dict[str, Any] = resolve(body, TEMPLATE.transformed, parameters)
    return document


def security_scheme(document: dict[str, Any], method: str, path: str) -> Any:
    """The security scheme of a route; None if the route is open."""
    ((name, scopes),) = document["paths"][path][method.lower()]["security"][0].items()
    assert scopes == []
    return None if name == "NONE" else document["components"]["securitySchemes"][name]


def security_schemes(document: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The security scheme of each route, by method and path."""
    return {
        (route.method, route.path): security_scheme(document, route.method, route.path)
        for route in TEMPLATE.routes()
    }


@pytest.mark.parametrize("parameters", [{}, {"Authorization": "iam"}])
def test_every_route_except_health_requires_a_signature_by_default(parameters: dict[str, str]) -> None:
    schemes = security_schemes(openapi_document(**parameters))

    assert schemes.pop(("GET", "/health")) is None
    assert schemes
    assert all(scheme == BY_IAM for scheme in schemes.values())


def test_every_route_except_health_requires_a_token_with_jwt() -> None:
    schemes = security_schemes(
        openapi_document(Authorization="jwt", JwtIssuer=ISSUER, JwtAudience="upcall,other")
    )

    assert schemes.pop(("GET", "/health")) is None
    assert schemes
    for route, scheme in schemes.items():
        assert scheme == BY_JWT, f"{route} needs a line in the paths of HttpApi in template.yaml"


def test_each_route_has_one_security_requirement() -> None:
    for methods in openapi_document()["paths"].values():
        for operation in methods.values():
            assert len(operation["security"]) == 1


def test_a_route_without_an_entry_requires_a_signature() -> None:
    auth = TEMPLATE.source["Resources"]["HttpApi"]["Properties"]["Auth"]
    assert auth == {"EnableIamAuthorizer": True, "DefaultAuthorizer": "AWS_IAM"}


def test_every_entry_belongs_to_a_route() -> None:
    assert all(
        "x-amazon-apigateway-integration" in operation
        for methods in openapi_document()["paths"].values()
        for operation in methods.values()
    )


def test_jwt_without_an_issuer_or_an_audience_cannot_be_deployed() -> None:
    (rule,) = TEMPLATE.transformed["Rules"].values()
    required = [each["Assert"]["Fn::Not"][0]["Fn::Equals"] for each in rule["Assertions"]]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Authorization"}, "jwt"]}
    assert required == [[{"Ref": "JwtIssuer"}, ""], [{"Ref": "JwtAudience"}, ""]]


@pytest.mark.parametrize(
    "function",
    ["StartRunFunction", "GetRunFunction", "ListRunsFunction", "ListCallsFunction", "CancelRunFunction"],
)
def test_the_functions_of_runs_know_the_tenancy(function: str) -> None:
    assert environment_of(function)["TENANCY"] == {"Ref": "Tenancy"}
    assert (PARAMETERS["Tenancy"]["Default"], PARAMETERS["Tenancy"]["AllowedValues"]) == (
        "many",
        ["many", "one"],
    )
