"""The table alone, as the last command left it: enough to list and show runs, and quick to lay."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from local.config import ROOT
from local.table_file import Snapshot
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository

KEPT = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


@contextmanager
def table_alone(state_folder: Path) -> Iterator[DynamoDBRunRepository]:
    """A store on a table like the template's, filled from the snapshot."""
    template = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    properties = template["Resources"]["RunTable"]["Properties"]
    days = template["Parameters"]["RetentionDays"]["Default"]
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(TableName="runs", **{key: properties[key] for key in KEPT})
        Snapshot(state_folder / "table.jsonl").load(client, "runs")
        yield DynamoDBRunRepository(Table(client, "runs"), days)
