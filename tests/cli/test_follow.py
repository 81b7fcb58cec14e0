"""The progress of a run on a deployed stack, as the command shows it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.iam_gateway import CALLER, REGION, IamGateway, iam_gateway
from support.waiting import wait_until

from cli.backends.deployed import DeployedBackend
from cli.terminal.live_view import LiveView
from cli.terminal.open_calls import OpenCallReporter
from local.openai_emulator import Call, CallTools, Hang, Say
from local.stack import LocalStack
from upcall.client import CallerFunctions, IamAuth, UpcallClient
from upcall.domain.run_request import RunRequest

from .conftest import plain_console, printed_text, terminal_console

AUTH = IamAuth(CALLER, REGION)
STATUSES = ("queued", "in_progress", "requires_action")


@pytest.fixture
def gateway(local_stack: LocalStack) -> Iterator[IamGateway]:
    with iam_gateway(local_stack.endpoints.api) as started:
        yield started


@pytest.fixture
def api(gateway: IamGateway) -> Iterator[UpcallClient]:
    with UpcallClient(gateway.url, AUTH) as client:
        yield client


def test_each_round_is_shown_while_the_run_continues(
    api: UpcallClient, gateway: IamGateway, local_stack: LocalStack
) -> None:
    call = Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides")
    run_id = api.start_run(
        RunRequest(
            prompt="Go.", model=local_stack.emulator.script(CallTools((call, Call("no", "{"))), Hang())
        )
    )
    console = plain_console()
    functions = CallerFunctions()
    with LiveView(console) as view, ThreadPoolExecutor(1) as pool, UpcallClient(gateway.url, AUTH) as own:
        reporter = OpenCallReporter(view, functions, gateway.url)
        following = pool.submit(own.follow, run_id, functions, reporter)
        wait_until(lambda: following.done() or "requires_action" in printed_text(console), "the first round")
        assert not following.done()
        assert api.get_run(run_id).status == "in_progress"
        api.cancel_run(run_id)
        run = following.result()

    assert run.status == "cancelled"
    lines = [line.split("s  ", 1)[1].strip() for line in printed_text(console).splitlines()]
    assert [line for line in lines if line in STATUSES] == [
        "queued",
        "in_progress",
        "requires_action",
        "in_progress",
    ]
    fetch, no = (line for line in lines if line not in STATUSES)
    assert fetch.startswith("fetch http://")
    assert fetch.endswith("KB")
    assert no == "no {  There is no tool no. There is: fetch, read_object."


def test_a_terminal_shows_the_status_while_the_run_continues(
    api: UpcallClient, local_stack: LocalStack
) -> None:
    console = terminal_console()
    model = local_stack.emulator.script(Say("Done.", after_seconds=0.3))
    outcome = DeployedBackend(api, api.url).start_and_follow(
        "Go.", {"model": model}, CallerFunctions(), console
    )

    assert outcome.run.message == "Done."
    assert "queued" in printed_text(console)
    assert api.url in printed_text(console)
