"""Servers whose ids of tool calls start anew in each round: every call is made once, and has its own output.

The emulator's sessions do not support it. The unit tests of the agents run API cover it.
"""

from collections.abc import Iterator

import pytest
from support.canned_server import CannedServer
from support.notifications import received_notifications
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Say
from local.openai_emulator.turn import Turn
from local.stack import LocalStack

MILK, BREAD = Call.of("notify", message="Milk."), Call.of("notify", message="Bread.")


@pytest.fixture(autouse=True)
def _ids_start_anew_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    def calls(turn: Turn) -> dict[str, Call]:
        step = turn.step
        return (
            {f"{call.name}:{i}": call for i, call in enumerate(step.calls)}
            if isinstance(step, CallTools)
            else {}
        )

    monkeypatch.setattr(Turn, "calls", property(calls))


@pytest.fixture
def webhook(local_stack: LocalStack) -> Iterator[CannedServer]:
    """The webhook of the tool `notify`, which sends each message at most once."""
    with received_notifications(local_stack) as notifications:
        yield notifications.server


@pytest.mark.parametrize("api", ["responses", "assistants"])
def test_every_call_is_made_and_recorded(runs: Runs, webhook: CannedServer, api: str) -> None:
    steps = (CallTools((MILK,)), CallTools((BREAD, MILK)), Say("Done."))
    ended = runs.run_script(*steps, run_api=api, assistant="messenger")

    assert (ended.run["status"], ended.run["round"], ended.run["tool_calls"]) == ("completed", 2, 3)
    sent = [request.json["data"]["message"] for request in webhook.requests]
    assert (sent[0], sorted(sent[1:])) == ("Milk.", ["Bread.", "Milk."])
    assert len({request.headers["Webhook-Id"] for request in webhook.requests}) == 3
    calls = runs.http.get(f"/runs/{ended.run['run_id']}/calls").json()["calls"]
    assert [
        (call["round"], call["position"], call["call"]["call_id"], call["call"]["arguments"])
        for call in calls
    ] == [
        (1, 1, "notify:0", MILK.arguments),
        (2, 1, "notify:0", BREAD.arguments),
        (2, 2, "notify:1", MILK.arguments),
    ]
    assert {call["output"]["output"] for call in calls} == {"The message was sent."}
