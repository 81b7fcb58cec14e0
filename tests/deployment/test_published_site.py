"""The nested stack of the console's site is deployed to the engine, and `upcall publish` fills its bucket."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from deployment.engine import REGION, run_engine
from support.templates import TEMPLATE

from cli.console.site import publish_site
from local.config import ROOT

BUCKET = "templates-of-a-test"
API_DOMAIN = f"abc.execute-api.{REGION}.amazonaws.com"
JWT = {
    "Authorization": "jwt",
    "JwtIssuer": "https://login.example.com/tenant",
    "JwtAudience": "abc",
    "ConsoleClientId": "abc",
    "ConsoleTokenOrigin": "https://tokens.example.com",
}
DEPLOYED = {"Type": "AWS::SQS::Queue"}
"""A stack needs a resource without a condition."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[boto3.Session]:
    """The account of an engine, with the nested template in a bucket as `sam deploy` puts it there."""
    folder = tmp_path_factory.mktemp("engine")
    with run_engine(folder, sys.executable, {}) as engine, pytest.MonkeyPatch.context() as patch:
        for name, value in engine.environment.items():
            patch.setenv(name, value)
        opened = boto3.Session()
        s3 = opened.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_object(Bucket=BUCKET, Key="console.yaml", Body=(ROOT / "console.yaml").read_bytes())
        yield opened


def deploy(session: boto3.Session, name: str, parameters: dict[str, str]) -> dict[str, str]:
    """Deploy what `template.yaml` has about the site. Returns the outputs."""
    template: dict[str, Any] = TEMPLATE.transformed
    site = json.loads(json.dumps(template["Resources"]["ConsoleSite"]))
    site["Properties"]["TemplateURL"] = f"https://s3.{REGION}.amazonaws.com/{BUCKET}/console.yaml"
    site["Properties"]["Parameters"]["ApiDomain"] = API_DOMAIN
    part = {
        **{name: template[name] for name in ("Parameters", "Rules", "Conditions")},
        "Resources": {"ConsoleSite": site, "Deployed": DEPLOYED},
        "Outputs": {name: template["Outputs"][name] for name in ("ConsoleUrl", "ConsoleSignIn")},
    }
    client = session.client("cloudformation")
    client.create_stack(
        StackName=name,
        TemplateBody=json.dumps(part),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_AUTO_EXPAND"],
    )
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def test_a_stack_without_the_parameter_has_no_site(session: boto3.Session) -> None:
    assert deploy(session, "plain", {}) == {}
    distributions: Any = session.client("cloudfront").list_distributions()
    assert distributions["DistributionList"].get("Quantity", 0) == 0


def test_a_site_without_jwt_is_rejected_before_anything_changes(session: boto3.Session) -> None:
    with pytest.raises(ClientError, match="Authorization must be jwt"):
        deploy(session, "iam", {"ConsoleClientId": "abc"})


def test_a_site_is_deployed_and_its_pages_are_uploaded(session: boto3.Session) -> None:
    outputs = deploy(session, "site", JWT)
    published = publish_site("site", session)

    cloudfront: Any = session.client("cloudfront")
    (distribution,) = cloudfront.list_distributions()["DistributionList"]["Items"]
    assert published.url == outputs["ConsoleUrl"] == f"https://{distribution['DomainName']}/"
    origins = {each["Id"]: each["DomainName"] for each in distribution["Origins"]["Items"]}
    assert origins["api"] == API_DOMAIN
    settings = session.client("s3").get_object(Bucket=origins["pages"].partition(".")[0], Key="site.json")
    assert json.load(settings["Body"])["issuer"] == JWT["JwtIssuer"]
    (policy,) = cloudfront.list_response_headers_policies(Type="custom")["ResponseHeadersPolicyList"]["Items"]
    headers = policy["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    allowed = "connect-src 'self' https://login.example.com https://tokens.example.com;"
    assert allowed in headers["ContentSecurityPolicy"]["ContentSecurityPolicy"]
