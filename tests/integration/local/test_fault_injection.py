"""Fault injection at random: a share of all requests fails, with every kind of fault, on real connections."""

from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from werkzeug.wrappers import Response

from local.http_server import HttpServer
from local.openai_emulator.fault_injection import INJECTED_FAULTS, FaultInjection


class CountingApp:
    """A WSGI application that counts the requests that it processed."""

    processed = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.processed += 1
        return Response("done")(environ, start_response)


def send_requests(rate: float, seed: int, number: int) -> tuple[list[int], FaultInjection, CountingApp]:
    """The statuses that a client receives, 0 for a dropped connection."""
    app = CountingApp()
    injection = FaultInjection(app, rate, seed, slow_seconds=0)
    server = HttpServer(injection)
    statuses = []
    with httpx.Client(trust_env=False) as client:
        for _ in range(number):
            try:
                statuses.append(client.get(server.url).status_code)
            except httpx.TransportError:
                statuses.append(0)
    server.stop()
    return statuses, injection, app


def test_at_a_rate_of_0_no_request_fails() -> None:
    statuses, injection, app = send_requests(0, 1, 30)

    assert (set(statuses), app.processed, injection.requests, injection.injected.total()) == (
        {200},
        30,
        30,
        0,
    )


def test_a_share_of_all_requests_fails_with_every_kind_of_fault() -> None:
    statuses, injection, app = send_requests(0.5, 1, 200)
    injected = injection.injected

    assert set(injected) == {fault.name for fault in INJECTED_FAULTS}
    assert 60 < injected.total() < 140
    assert statuses.count(429) == injected["429"] + injected["429 with Retry-After"]
    assert statuses.count(500) == injected["500"] + injected["500 after processing"]
    assert statuses.count(0) == injected["dropped"] + injected["dropped after processing"]
    failed_after_processing = injected["500 after processing"] + injected["dropped after processing"]
    assert app.processed == statuses.count(200) + failed_after_processing


@pytest.mark.parametrize(("seed", "same"), [(1, True), (2, False)])
def test_the_seed_decides_which_requests_fail(seed: int, same: bool) -> None:
    assert (send_requests(0.3, 1, 40)[0] == send_requests(0.3, seed, 40)[0]) == same
