"""The nested stack of the console's site: when there is one, who may read its bucket, and what its pages may do."""

import json
import re
from typing import Any

import pytest
from support.console_site import response_headers
from support.template_conditions import resolve
from support.templates import CONSOLE, MONITORING, RESOURCES, TEMPLATE, resources_of_type

from cli.console.responses import SECURITY_HEADERS

PARAMETERS: dict[str, Any] = TEMPLATE.source["Parameters"]
SITE: dict[str, Any] = RESOURCES["ConsoleSite"]
DISTRIBUTION: dict[str, Any] = CONSOLE["Resources"]["ConsoleDistribution"]["Properties"]["DistributionConfig"]
OF_THE_SITE = ("ConsoleSite", "ConsoleUrl", "ConsoleSignIn")


def is_met(condition: str, **parameters: str) -> bool:
    return bool(resolve(TEMPLATE.source["Conditions"][condition], TEMPLATE.source, parameters))


def test_without_the_parameter_there_is_no_site() -> None:
    conditional = [SITE, *(TEMPLATE.source["Outputs"][name] for name in OF_THE_SITE[1:])]

    assert {each["Condition"] for each in conditional} == {"HasConsole"}
    assert not is_met("HasConsole")
    assert is_met("HasConsole", ConsoleClientId="abc")
    assert not resources_of_type("AWS::CloudFront::Distribution")


def test_nothing_else_depends_on_the_site() -> None:
    others = [each for name, each in RESOURCES.items() if name != "ConsoleSite"]

    assert "ConsoleSite" not in json.dumps(others)
    assert "ConsoleClientId" not in json.dumps(others)


def test_a_site_without_jwt_cannot_be_deployed() -> None:
    rule = TEMPLATE.transformed["Rules"]["ConsoleRequiresJwt"]

    assert rule["RuleCondition"] == TEMPLATE.source["Conditions"]["HasConsole"]
    assert [each["Assert"] for each in rule["Assertions"]] == [
        {"Fn::Equals": [{"Ref": "Authorization"}, "jwt"]}
    ]


def test_the_nested_stack_gets_every_parameter_and_no_other() -> None:
    assert set(SITE["Properties"]["Parameters"]) == set(CONSOLE["Parameters"])


def test_no_two_resources_of_the_nested_stacks_have_one_logical_id() -> None:
    """The commands read the resources of all of them as one list."""
    names = [*RESOURCES, *MONITORING["Resources"], *CONSOLE["Resources"]]

    assert len(set(names)) == len(names)


def test_only_the_distribution_reads_the_bucket() -> None:
    bucket = CONSOLE["Resources"]["ConsoleBucket"]["Properties"]
    statements = CONSOLE["Resources"]["ConsoleBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = [each for each in statements if each["Effect"] == "Allow"]

    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert bucket["BucketEncryption"] == RESOURCES["BatchBucket"]["Properties"]["BucketEncryption"]
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    (source,) = allowed["Condition"]["StringEquals"].values()
    assert source["Fn::Sub"].endswith(":distribution/${ConsoleDistribution}")
    (pages,) = [each for each in DISTRIBUTION["Origins"] if each["Id"] == "pages"]
    assert pages["OriginAccessControlId"] == {"Ref": "ConsoleOriginAccess"}


def test_everything_is_encrypted_in_transit() -> None:
    (api,) = DISTRIBUTION["CacheBehaviors"]
    (origin,) = [each for each in DISTRIBUTION["Origins"] if each["Id"] == "api"]

    assert DISTRIBUTION["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert api["ViewerProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"] == {
        "OriginProtocolPolicy": "https-only",
        "OriginSSLProtocols": ["TLSv1.2"],
    }


def test_responses_of_the_api_are_not_cached_and_its_requests_keep_their_token() -> None:
    """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/, managed policies."""
    (api,) = DISTRIBUTION["CacheBehaviors"]

    assert (api["PathPattern"], api["TargetOriginId"]) == ("/api/*", "api")
    assert api["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert api["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert {route.method for route in TEMPLATE.routes()} <= set(api["AllowedMethods"])


def test_a_page_may_request_its_own_site_and_the_issuer_and_otherwise_what_it_may_on_loopback() -> None:
    headers = response_headers("https://login.example.com/tenant/v2.0", "https://tokens.example.com:8443")
    policy = re.sub(" +", " ", headers["Content-Security-Policy"])

    allowed = "connect-src 'self' https://login.example.com https://tokens.example.com:8443;"
    assert policy == SECURITY_HEADERS["Content-Security-Policy"].replace("connect-src 'self';", allowed)
    for name in ("Referrer-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"):
        assert headers[name] == SECURITY_HEADERS[name]
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("issuer", ["https://login.example.com/", "https://login.example.com"])
def test_without_another_origin_for_tokens_the_issuer_is_the_only_one(issuer: str) -> None:
    policy = response_headers(issuer)["Content-Security-Policy"]

    assert re.findall(r"connect-src ([^;]+);", policy)[0].split() == ["'self'", "https://login.example.com"]


def test_all_behaviors_have_the_headers() -> None:
    behaviors = [DISTRIBUTION["DefaultCacheBehavior"], *DISTRIBUTION["CacheBehaviors"]]

    assert all(each["ResponseHeadersPolicyId"] == {"Ref": "ConsoleHeaders"} for each in behaviors)
    assert DISTRIBUTION["DefaultRootObject"] == "index.html"


def test_the_settings_of_the_sign_in_are_json() -> None:
    parameters = {
        "JwtIssuer": "https://login.example.com/",
        "ConsoleClientId": "abc",
        "ConsoleScopes": "openid,upcall/read",
    }
    text = resolve(TEMPLATE.source["Outputs"]["ConsoleSignIn"]["Value"], TEMPLATE.source, parameters)

    assert json.loads(text) == {
        "issuer": "https://login.example.com/",
        "client_id": "abc",
        "scope": "openid upcall/read",
        "audience": "",
    }


@pytest.mark.parametrize(
    ("name", "accepted", "rejected"),
    [
        ("ConsoleClientId", ["", "abc-1.apps.example.com"], ["a b", 'a"', "a\\"]),
        ("ConsoleScopes", ["openid", "openid,upcall/read"], ["", "a b", "a, b", 'a"', "a,"]),
        ("ConsoleAudience", ["", "https://api.example.com/"], ["a b", 'a"']),
        (
            "ConsoleTokenOrigin",
            ["", "https://a.auth.example.com", "https://a.example.com:8443"],
            ["http://a.example.com", "https://a.example.com/", "https://*", "https://a.com https://b.com"],
        ),
    ],
)
def test_a_setting_that_would_break_the_page_cannot_be_deployed(
    name: str, accepted: list[str], rejected: list[str]
) -> None:
    pattern = PARAMETERS[name]["AllowedPattern"]

    assert [value for value in accepted if not re.fullmatch(pattern, value)] == []
    assert [value for value in rejected if re.fullmatch(pattern, value)] == []


def test_stacks_of_one_name_in_two_regions_can_both_have_a_site() -> None:
    """CloudFront is global, so names of the same kind must differ."""
    resources = CONSOLE["Resources"]
    headers = resources["ConsoleHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    access = resources["ConsoleOriginAccess"]["Properties"]["OriginAccessControlConfig"]

    for named in (headers, access, resources["ConsoleApiPath"]["Properties"]):
        assert named["Name"] == {"Fn::Sub": "${UpcallStackName}-${AWS::Region}"}
