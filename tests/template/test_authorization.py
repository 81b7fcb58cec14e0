"""The authorization of each route, read from the template as API Gateway gets it, for IAM and for JWT."""

import re
from typing import Any

import pytest
from support.template_conditions import resolve
from support.templates import FUNCTIONS, HANDLERS, TEMPLATE, environment_of, function_id

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


OPEN_ROUTES = [("GET", "/health"), ("POST", "/webhooks/openai")]


def openapi_document(**parameters: str) -> dict[str, Any]:
    """The OpenAPI document of a stack with webhooks, these parameters and the defaults of the others."""
    parameters = {"OpenAIWebhookSecretName": "openai-webhook", **parameters}
    body = TEMPLATE.transformed["Resources"]["HttpApi"]["Properties"]["Body"]
    document: dict[str, Any] = resolve(body, TEMPLATE.transformed, parameters)
    return document


def scopes_of(document: dict[str, Any], method: str, path: str) -> Any:
    """The scopes of a route, of which a token must have one; none if it needs no scope."""
    ((_, scopes),) = document["paths"][path][method.lower()]["security"][0].items()
    return scopes


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
def test_every_route_except_the_open_ones_requires_a_signature_by_default(parameters: dict[str, str]) -> None:
    schemes = security_schemes(openapi_document(**parameters))

    assert [schemes.pop(route) for route in OPEN_ROUTES] == [None, None]
    assert schemes
    assert all(scheme == BY_IAM for scheme in schemes.values())


def test_every_route_except_the_open_ones_requires_a_token_with_jwt() -> None:
    schemes = security_schemes(
        openapi_document(Authorization="jwt", JwtIssuer=ISSUER, JwtAudience="upcall,other")
    )

    assert [schemes.pop(route) for route in OPEN_ROUTES] == [None, None]
    assert schemes
    for route, scheme in schemes.items():
        assert scheme == BY_JWT, f"{route} needs a line in the paths of HttpApi in template.yaml"


def test_without_a_secret_there_is_no_route_for_webhooks() -> None:
    assert not openapi_document(OpenAIWebhookSecretName="")["paths"].get("/webhooks/openai")


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
    rule = TEMPLATE.transformed["Rules"]["JwtRequiresIssuerAndAudience"]
    required = [each["Assert"]["Fn::Not"][0]["Fn::Equals"] for each in rule["Assertions"]]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Authorization"}, "jwt"]}
    assert required == [[{"Ref": "JwtIssuer"}, ""], [{"Ref": "JwtAudience"}, ""]]


@pytest.mark.parametrize("value", ["upcall,other", "upcall, other", "upcall ,  other"])
def test_blanks_around_audiences_are_ignored(value: str) -> None:
    document = openapi_document(Authorization="jwt", JwtIssuer=ISSUER, JwtAudience=value)

    assert re.fullmatch(PARAMETERS["JwtAudience"]["AllowedPattern"], value)
    assert document["components"]["securitySchemes"]["Caller"] == BY_JWT


@pytest.mark.parametrize("name", ["JwtAudience", "AuthorizationScopes"])
@pytest.mark.parametrize("value", [",", "a,", ",a", "a,,b", " a", "a ", "a b"])
def test_lists_with_empty_or_broken_parts_cannot_be_deployed(name: str, value: str) -> None:
    """CloudFormation matches the whole value."""
    assert not re.fullmatch(PARAMETERS[name]["AllowedPattern"], value)
    assert "commas" in PARAMETERS[name]["ConstraintDescription"]


def test_tokens_need_no_scope_by_default() -> None:
    document = openapi_document(Authorization="jwt", JwtIssuer=ISSUER, JwtAudience="upcall")

    assert all(scopes_of(document, route.method, route.path) == [] for route in TEMPLATE.routes())


def test_tokens_need_one_of_the_scopes_on_every_route_except_the_open_ones() -> None:
    scopes = "upcall/read,https://api.example.com/runs.write"
    assert re.fullmatch(PARAMETERS["AuthorizationScopes"]["AllowedPattern"], scopes)
    document = openapi_document(
        Authorization="jwt", JwtIssuer=ISSUER, JwtAudience="upcall", AuthorizationScopes=scopes
    )

    required = {
        (route.method, route.path): scopes_of(document, route.method, route.path)
        for route in TEMPLATE.routes()
    }
    assert [required.pop(route) for route in OPEN_ROUTES] == [[], []]
    assert required
    assert all(each == scopes.split(",") for each in required.values())


def test_scopes_without_jwt_cannot_be_deployed() -> None:
    rule = TEMPLATE.transformed["Rules"]["ScopesRequireJwt"]

    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AuthorizationScopes"}, ""]}]}
    assert [each["Assert"] for each in rule["Assertions"]] == [
        {"Fn::Equals": [{"Ref": "Authorization"}, "jwt"]}
    ]


@pytest.mark.parametrize(
    ("name", "accepted", "rejected"),
    [
        (
            "CallerClaims",
            ["sub", "client_id", "tid, oid", "https://example.com/tenant,sub"],
            ["", ",", "sub,"],
        ),
        ("JwtAudience", ["", "a", "a,b", "a, b", "https://api.example.com/"], ["a,", " a", "a b"]),
        ("OpenAIProject", ["", "proj_1"], ["my project"]),
        ("OpenAIOrganization", ["", "org-1"], ["my organization"]),
    ],
)
def test_a_list_that_would_be_misread_cannot_be_deployed(
    name: str, accepted: list[str], rejected: list[str]
) -> None:
    pattern = PARAMETERS[name]["AllowedPattern"]

    assert [value for value in accepted if not re.fullmatch(pattern, value)] == []
    assert [value for value in rejected if re.fullmatch(pattern, value)] == []


@pytest.mark.parametrize("function", [function_id(name) for name in HANDLERS])
def test_every_function_of_a_route_knows_which_claims_identify_a_caller(function: str) -> None:
    """They check the caller of every request, also of those that are about no run."""
    assert environment_of(function)["CALLER_CLAIMS"] == {"Ref": "CallerClaims"}
    assert PARAMETERS["CallerClaims"]["Default"] == "sub"


def test_every_function_that_calls_openai_knows_the_organization_and_the_project() -> None:
    functions = [name for name in FUNCTIONS if "OPENAI_BASE_URL" in environment_of(name)]

    assert len(functions) >= 7
    for name in functions:
        assert environment_of(name)["OPENAI_ORG_ID"] == {"Ref": "OpenAIOrganization"}
        assert environment_of(name)["OPENAI_PROJECT_ID"] == {"Ref": "OpenAIProject"}


@pytest.mark.parametrize(
    "function",
    [
        "StartRunFunction",
        "GetRunFunction",
        "ListRunsFunction",
        "ListBatchesFunction",
        "ListCallsFunction",
        "ListEventsFunction",
        "GetMessageFunction",
        "CancelRunFunction",
    ],
)
def test_the_functions_of_runs_know_the_tenancy(function: str) -> None:
    assert environment_of(function)["TENANCY"] == {"Ref": "Tenancy"}
    assert (PARAMETERS["Tenancy"]["Default"], PARAMETERS["Tenancy"]["AllowedValues"]) == (
        "many",
        ["many", "one"],
    )


def test_no_page_may_call_the_api_from_a_browser_unless_its_origin_is_named() -> None:
    rules = "x-amazon-apigateway-cors"
    assert rules not in openapi_document()

    cors = openapi_document(CorsOrigins="https://app.example.com,http://localhost:5173")[rules]
    assert cors["allowOrigins"] == ["https://app.example.com", "http://localhost:5173"]
    assert set(cors["allowMethods"]) == {route.method for route in TEMPLATE.routes()}
    assert "allowCredentials" not in cors


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [
        ("", True),
        ("https://app.example.com", True),
        ("https://app.example.com,http://localhost:5173", True),
        ("*", False),
        ("https://*", False),
        ("https://*.example.com", False),
        ("null", False),
        ("app.example.com", False),
        ("https://app.example.com/", False),
        ("https://app.example.com, https://b.example.com", False),
    ],
)
def test_an_origin_is_named_exactly(origins: str, allowed: bool) -> None:
    pattern = PARAMETERS["CorsOrigins"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, origins)) == allowed


def test_pages_may_send_and_read_every_header_that_the_api_has() -> None:
    cors = openapi_document(CorsOrigins="https://app.example.com")["x-amazon-apigateway-cors"]
    signature = {"authorization", "x-amz-date", "x-amz-security-token"}

    assert {"content-type", "idempotency-key"} | signature <= set(cors["allowHeaders"])
    assert set(cors["exposeHeaders"]) == {"location", "retry-after", "ratelimit", "ratelimit-policy"}
