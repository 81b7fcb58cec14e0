"""DynamoDBWaitingRequests on moto."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.fakes.clock import START
from support.waiting_requests_contract import LATER, WaitingRequestsContract

from local.dynamodb import serialize_requests
from upcall.aws.dynamodb import Table
from upcall.aws.waiting_requests import DynamoDBWaitingRequests


@pytest.fixture
def waiting(aws_client: Any, unique_name: str) -> Iterator[DynamoDBWaitingRequests]:
    serialize_requests()  # otherwise moto's conditional writes are not atomic
    client = aws_client("dynamodb")
    client.create_table(
        TableName=unique_name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )
    yield DynamoDBWaitingRequests(Table(client, unique_name), 10)
    client.delete_table(TableName=unique_name)


class TestDynamoDBWaitingRequests(WaitingRequestsContract):
    pass


def test_no_two_of_sixty_requests_at_once_have_the_same_place(waiting: DynamoDBWaitingRequests) -> None:
    taken: list[int] = []

    def take() -> None:
        if place := waiting.take_place("ann", START, LATER):
            taken.append(place.number)

    threads = [threading.Thread(target=take) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(set(taken)) <= 10
    assert taken
