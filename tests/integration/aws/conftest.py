"""AWS as moto has it, in this process. Names are unique, because a local stack may share moto with a test."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from local.config import ROOT

pytest.register_assert_rewrite(
    "support.batch_files_contract",
    "support.batch_repository_contract",
    "support.rate_limit_repository_contract",
    "support.run_repository_contract",
    "support.workflow_contract",
)

SCHEMA = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")

GetClient = Callable[[str], Any]
"""A client of the AWS service of that name."""


@pytest.fixture(scope="module")
def aws_client() -> Iterator[GetClient]:
    mock = mock_aws()
    mock.start(reset=False)
    config = Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]  # the stubs lack it
    session = boto3.Session(region_name="us-east-1")
    yield lambda service: session.client(service, config=config)  # type: ignore[call-overload]
    mock.stop(remove_data=False)


@pytest.fixture
def unique_name() -> str:
    return f"test-{uuid.uuid4()}"


@pytest.fixture(scope="module")
def table_schema() -> dict[str, Any]:
    """The schema of the table of runs, as `template.yaml` describes it."""
    template = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    properties = template["Resources"]["RunTable"]["Properties"]
    return {key: properties[key] for key in SCHEMA}
