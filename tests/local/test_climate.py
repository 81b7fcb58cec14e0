"""Faults by chance: so many of all requests, each of its kind, and each acted out on the wire."""

from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from werkzeug.wrappers import Response

from local.http_server import HttpServer
from local.openai_emulator.fault_injection import INJECTED_FAULTS, FaultInjection


class Works:
    """A WSGI application that counts what it did."""

    done = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.done += 1
        return Response("done")(environ, start_response)


def answers(share: float, seed: int, requests: int) -> tuple[list[int], FaultInjection, Works]:
    """The statuses that a client sees, 0 where the connection was cut."""
    works = Works()
    climate = FaultInjection(works, share, seed, slow_seconds=0)
    server = HttpServer(climate)
    seen = []
    with httpx.Client(trust_env=False) as client:
        for _ in range(requests):
            try:
                seen.append(client.get(server.url).status_code)
            except httpx.TransportError:
                seen.append(0)
    server.stop()
    return seen, climate, works


def test_without_a_share_all_goes_well() -> None:
    seen, climate, works = answers(0, 1, 30)

    assert (set(seen), works.done, climate.requests, climate.met.total()) == ({200}, 30, 30, 0)


def test_a_share_of_all_requests_goes_wrong_and_every_mishap_comes_about() -> None:
    seen, climate, works = answers(0.5, 1, 200)

    assert set(climate.met) == {mishap.name for mishap in INJECTED_FAULTS}
    assert 60 < climate.met.total() < 140
    assert seen.count(429) == climate.met["429"] + climate.met["429 with Retry-After"]
    assert seen.count(500) == climate.met["500"] + climate.met["500 after the work"]
    assert seen.count(0) == climate.met["dropped"] + climate.met["dropped after the work"]
    unseen = climate.met["500 after the work"] + climate.met["dropped after the work"]
    assert works.done == seen.count(200) + unseen


@pytest.mark.parametrize(("seed", "same"), [(1, True), (2, False)])
def test_the_seed_decides_which(seed: int, same: bool) -> None:
    assert (answers(0.3, 1, 40)[0] == answers(0.3, seed, 40)[0]) == same
