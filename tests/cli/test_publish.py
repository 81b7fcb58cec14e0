"""`upcall publish` uploads the pages to the site of a stack."""

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.canned_server import canned_server
from typer.testing import CliRunner
from werkzeug.wrappers import Response

from cli.console import site
from cli.console.files import FOLDER
from cli.console.site import CACHE_CONTROL, publish_site
from cli.doctor.deployed_stack import DeployedStack, Resource
from cli.errors import CommandError
from cli.main import app
from local.stack import LocalStack

SIGN_IN = {
    "issuer": "https://login.example.com/",
    "client_id": "abc",
    "scope": "openid",
    "audience": "",
}
URL = "https://d111111abcdef8.cloudfront.net/"


def create_distribution() -> str:
    """A distribution of CloudFront with the least that it needs. Returns its id."""
    origin = {
        "Id": "pages",
        "DomainName": "b.s3.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    config: Any = {
        "CallerReference": str(uuid.uuid4()),
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "pages",
            "ViewerProtocolPolicy": "https-only",
            "MinTTL": 0,
            "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        },
    }
    created: Any = boto3.client("cloudfront").create_distribution(DistributionConfig=config)
    return str(created["Distribution"]["Id"])


@pytest.fixture
def deployed(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> DeployedStack:
    """The local stack with the resources and outputs of a site."""
    bucket = f"site-{uuid.uuid4()}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    resources = {
        "ConsoleBucket": Resource("AWS::S3::Bucket", bucket),
        "ConsoleDistribution": Resource("AWS::CloudFront::Distribution", create_distribution()),
    }
    outputs = {"ConsoleUrl": URL, "ConsoleSignIn": json.dumps(SIGN_IN)}
    found = replace(stack, outputs={**stack.outputs, **outputs}, resources={**stack.resources, **resources})
    monkeypatch.setattr(site, "find_stack", lambda *_: found)
    return found


def bucket_of(stack: DeployedStack) -> str:
    return stack.resources["ConsoleBucket"].id


def keys_in(bucket: str) -> set[str]:
    return {each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])}


def invalidated_paths(stack: DeployedStack) -> list[str]:
    """The paths of all invalidations of the distribution."""
    client: Any = boto3.client("cloudfront")
    distribution = stack.resources["ConsoleDistribution"].id
    listed = client.list_invalidations(DistributionId=distribution)["InvalidationList"].get("Items", [])
    details = [client.get_invalidation(DistributionId=distribution, Id=each["Id"]) for each in listed]
    return [path for each in details for path in each["Invalidation"]["InvalidationBatch"]["Paths"]["Items"]]


def test_the_pages_are_uploaded_with_their_types_and_the_settings_of_the_sign_in(
    deployed: DeployedStack,
) -> None:
    result = CliRunner().invoke(app, ["publish", "--stack", deployed.name, "--json"])

    assert result.exit_code == 0, result.exception
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert json.loads(result.stdout) == {"url": URL, "files": len(files), "deleted": 0}
    assert keys_in(bucket_of(deployed)) == files
    for key, content_type in {
        "index.html": "text/html; charset=utf-8",
        "pages/runs.js": "text/javascript; charset=utf-8",
        "css/base.css": "text/css; charset=utf-8",
        "icon.svg": "image/svg+xml",
        "site.json": "application/json",
    }.items():
        found = boto3.client("s3").get_object(Bucket=bucket_of(deployed), Key=key)
        assert (found["ContentType"], found["CacheControl"]) == (content_type, CACHE_CONTROL)
        content = found["Body"].read()
        assert key == "site.json" or content == (FOLDER / key).read_bytes()
    assert json.loads(content) == {"stack": "upcall", "region": "us-east-1", **SIGN_IN}
    assert invalidated_paths(deployed) == ["/*"]


def test_files_that_are_no_longer_there_are_deleted(
    deployed: DeployedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "MAX_DELETED", 2)
    for name in ("index.html", "old.js", "pages/old.js", "older.js"):
        boto3.client("s3").put_object(Bucket=bucket_of(deployed), Key=name, Body=b"old")
    (tmp_path / "index.html").write_text("new", "utf-8")
    (tmp_path / "notes.md").write_text("Not a page.", "utf-8")

    published = publish_site("upcall", boto3.Session(), tmp_path)

    assert (published.files, published.deleted) == (2, 3)
    assert keys_in(bucket_of(deployed)) == {"index.html", "site.json"}


def test_the_index_is_the_last_page_that_is_uploaded() -> None:
    assert list(site._read_files(FOLDER))[-1] == "index.html"


def test_in_the_repository_the_pages_are_no_site() -> None:
    assert json.loads((FOLDER / "site.json").read_text("utf-8")) == {}


@pytest.mark.usefixtures("local_stack")
def test_a_stack_without_a_site_is_an_error() -> None:
    with pytest.raises(CommandError, match="the stack upcall has no site: set ConsoleClientId, and deploy"):
        publish_site("upcall", boto3.Session())


@pytest.mark.usefixtures("deployed")
def test_a_permission_that_lacks_is_named(local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = Response("<Error><Code>AccessDenied</Code><Message>No.</Message></Error>", 403)
    with canned_server(denied) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        with pytest.raises(CommandError, match="your AWS credentials lack the permission s3:PutObject"):
            publish_site("upcall", boto3.Session())
