"""DynamoDBRateLimitRepository on moto."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from support.rate_limit_repository_contract import NOW, UNKNOWN, RateLimitRepositoryContract, known

from local import dynamodb as local_dynamodb
from upcall.aws.dynamodb import Table
from upcall.aws.rate_limit_repository import DynamoDBRateLimitRepository
from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.rate_limit import FORGOTTEN_AFTER_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["known"]

KEYS: Any = {
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture(scope="module")
def dynamodb(aws_client: Any) -> "DynamoDBClient":
    local_dynamodb.serialize_requests()
    client: DynamoDBClient = aws_client("dynamodb")
    return client


@pytest.fixture
def table(dynamodb: "DynamoDBClient", unique_name: str) -> Iterator[Table]:
    dynamodb.create_table(TableName=unique_name, **KEYS)
    yield Table(dynamodb, unique_name)
    dynamodb.delete_table(TableName=unique_name)


@pytest.fixture
def rate_limits(table: Table) -> DynamoDBRateLimitRepository:
    return DynamoDBRateLimitRepository(lambda: table, lambda: "a server")


class TestDynamoDBRateLimitRepository(RateLimitRepositoryContract):
    pass


def test_each_server_has_its_own_limits(table: Table, rate_limits: DynamoDBRateLimitRepository) -> None:
    rate_limits.begin("m", UNKNOWN, None)

    assert DynamoDBRateLimitRepository(lambda: table, lambda: "another").get("m") is None


def test_the_item_expires_and_names_neither_key_nor_model(
    rate_limits: DynamoDBRateLimitRepository, dynamodb: "DynamoDBClient", unique_name: str
) -> None:
    rate_limits.begin("a-model", UNKNOWN, None)

    (item,) = dynamodb.scan(TableName=unique_name)["Items"]
    assert item["expires_at"] == {"N": str(int(NOW + FORGOTTEN_AFTER_SECONDS))}
    assert "a-model" not in str(item)


def test_a_table_that_cannot_be_reached_is_a_transient_error(dynamodb: "DynamoDBClient") -> None:
    missing = DynamoDBRateLimitRepository(lambda: Table(dynamodb, "missing"), lambda: "a server")

    with pytest.raises(TransientError):
        missing.get("m")
    with pytest.raises(TransientError):
        missing.take_ticket("m", UNKNOWN, 0)


def test_an_item_of_another_version_is_a_transient_error(
    rate_limits: DynamoDBRateLimitRepository, dynamodb: "DynamoDBClient", unique_name: str
) -> None:
    rate_limits.begin("m", UNKNOWN, None)
    (item,) = dynamodb.scan(TableName=unique_name)["Items"]
    dynamodb.put_item(TableName=unique_name, Item={**item, "limit": {"S": '{"other": 1}'}})

    with pytest.raises(TransientError):
        rate_limits.get("m")


def test_a_secret_that_cannot_be_used_is_left_to_the_request(table: Table) -> None:
    def reject() -> str:
        raise RequestRejected("the secret is empty")

    with pytest.raises(RequestRejected):
        DynamoDBRateLimitRepository(lambda: table, reject).get("m")
