"""How transactions are repeated, with a client that responds as DynamoDB does."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from upcall.aws.dynamodb import Table, update_request
from upcall.aws.transaction import MAX_TRIES, transact, update
from upcall.domain.errors import TransientError

OK = "None"
WRITES = [update(update_request("p", "s", {}, add={"n": 1})), update(update_request("p", "t", {"n": 1}))]


class Cancelled(ClientError):
    """TransactionCanceledException with these codes."""

    def __init__(self, *codes: str) -> None:
        reasons = [{"Code": code} for code in codes]
        super().__init__({"Error": {}, "CancellationReasons": reasons}, "TransactWriteItems")  # type: ignore[typeddict-item]


class InProgress(ClientError):
    """TransactionInProgressException."""

    def __init__(self) -> None:
        super().__init__({"Error": {}}, "TransactWriteItems")


class FakeClient:
    """Raises these errors one after the other, then succeeds."""

    class exceptions:  # noqa: N801  # botocore's name
        TransactionCanceledException = Cancelled
        TransactionInProgressException = InProgress

    def __init__(self, *errors: ClientError) -> None:
        self.errors = list(errors)
        self.requests = 0

    def transact_write_items(self, **_: Any) -> None:
        self.requests += 1
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, if each delay is as long as it may be."""
    found: list[float] = []
    monkeypatch.setattr("upcall.aws.transaction.time.sleep", found.append)
    monkeypatch.setattr("upcall.aws.transaction.random.uniform", lambda _, longest: longest)
    return found


def table(client: FakeClient) -> Table:
    return Table(client, "table")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        Cancelled(OK, "TransactionConflict"),
        Cancelled("TransactionConflict", "ConditionalCheckFailed"),
        Cancelled("ThrottlingError", OK),
        Cancelled("ProvisionedThroughputExceeded", OK),
        InProgress(),
    ],
    ids=["conflict", "conflict and condition", "throttled", "throughput", "in progress"],
)
def test_what_passes_is_waited_for(error: ClientError, pauses: list[float]) -> None:
    client = FakeClient(error, error)

    assert transact(table(client), WRITES) is None
    assert client.requests == 3
    assert pauses == [0.02, 0.04]


def test_conflicts_that_do_not_end_are_an_error_that_passes(pauses: list[float]) -> None:
    client = FakeClient(*[Cancelled("TransactionConflict", OK)] * MAX_TRIES)

    with pytest.raises(TransientError) as raised:
        transact(table(client), WRITES)

    assert (client.requests, raised.value.retry_after) == (MAX_TRIES, 1)
    assert max(pauses) == 0.5
    assert sum(pauses) < 5


@pytest.mark.usefixtures("pauses")
def test_a_condition_that_does_not_hold_is_not_tried_again() -> None:
    client = FakeClient(Cancelled(OK, "ConditionalCheckFailed"))

    assert transact(table(client), WRITES) == [None, {}]
    assert client.requests == 1


@pytest.mark.usefixtures("pauses")
def test_any_other_reason_is_a_defect() -> None:
    with pytest.raises(RuntimeError, match="ValidationError"):
        transact(table(FakeClient(Cancelled("ValidationError", OK))), WRITES)
