"""What `upcall doctor` finds about the concurrency of the account."""

import pytest
from support.canned_server import canned_server, json_response
from support.doctor import findings, with_parameters

from cli.doctor.deployed_stack import DeployedStack
from cli.doctor.quota_checks import check_concurrency


@pytest.mark.parametrize(
    ("limit", "available", "events", "status"),
    [
        (1000, 1000, 5, "ok"),
        (50, 50, 5, "ok"),
        (10, 10, 5, "warning"),
        (10, 10, 6, "failed"),
        (1000, 100, 100, "failed"),
        (1000, 1000, 1000, "failed"),
    ],
)
def test_a_quota_is_compared_with_what_events_may_take(
    stack: DeployedStack,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    available: int,
    events: int,
    status: str,
) -> None:
    limits = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": available}
    with canned_server(json_response({"AccountLimit": limits})) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        (found,) = findings(check_concurrency, with_parameters(stack, EventConcurrency=str(events)))

    assert found.status == status
    assert found.message.startswith(f"the account may run {limit:,} functions at once")
    assert ("others have reserved 900" in found.message) == (available < limit)
    if status != "ok":
        assert f"EventConcurrency takes up to {events}" in found.message
        assert "aws service-quotas request-service-quota-increase" in found.message
    assert ("lower EventConcurrency" in found.message) == (status == "failed")
