"""Opens the table file without a local stack: enough to list and show runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from moto import mock_aws

from local.dynamodb import put_items
from local.table_file import TableFile
from local.template import Template
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository

_TABLE_PROPERTIES = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


@contextmanager
def open_saved_runs(state_folder: Path) -> Iterator[DynamoDBRunRepository]:
    """A repository of the runs in the table file. Changes are not saved."""
    template = Template()
    properties = template.source["Resources"]["RunTable"]["Properties"]
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(TableName="runs", **{name: properties[name] for name in _TABLE_PROPERTIES})
        put_items("runs", TableFile(state_folder / "table.jsonl").load())
        yield DynamoDBRunRepository(
            Table(client, "runs"), retention_days=int(template.parameter_default("RetentionDays"))
        )
