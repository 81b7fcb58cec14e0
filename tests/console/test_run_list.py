"""The list of runs: filters, and what happens while somebody looks at it."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from console.browser import OpenConsole
from console.served import ServedConsole
from playwright.sync_api import Route, expect
from support.run_records import FAILURE, new_run
from support.runs import Runs

from local.openai_emulator import Fail, Say
from local.openai_emulator.conversation import Hang
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.usage import NO_USAGE


def test_runs_are_filtered_by_status_on_the_server(
    open_page: OpenConsole, runs: Runs, served: ServedConsole
) -> None:
    failed = runs.run_script(Fail("content_filter", "No."), prompt="Fail at once.").run["run_id"]
    completed = runs.run_script(Say("Done."), prompt="Complete.").run["run_id"]
    page = open_page("/runs").page
    expect(page.locator(f"tr[data-run={completed}]")).to_be_visible()

    page.get_by_label("Status").select_option("failed")

    expect(page.locator(f"tr[data-run={completed}]")).to_have_count(0)
    expect(page.locator(f"tr[data-run={failed}]")).to_be_visible()
    assert any("status=failed" in request for request in served.requests)
    assert page.url.endswith("#/runs?status=failed")


def test_runs_are_filtered_by_text_and_assistant_among_those_loaded(
    open_page: OpenConsole, runs: Runs
) -> None:
    boats = runs.run_script(Say("Done."), prompt="Count the red boats.").run["run_id"]
    other = runs.run_script(Say("Done."), prompt="Count the gulls.", assistant="messenger").run["run_id"]
    page = open_page("/runs").page

    page.get_by_label("Text").fill("RED boats")
    expect(page.locator(f"tr[data-run={boats}]")).to_be_visible()
    expect(page.locator(f"tr[data-run={other}]")).to_be_hidden()

    page.get_by_label("Text").fill("")
    page.get_by_label("Assistant", exact=True).select_option("messenger")
    expect(page.locator(f"tr[data-run={boats}]")).to_be_hidden()
    expect(page.locator(f"tr[data-run={other}]")).to_be_visible()


ANN = "arn:aws:iam::123456789012:user/ann,b+c"


def add_run_of_ann(repository: DynamoDBRunRepository, **fields: object) -> str:
    """A failed run of another caller than those of the local stack."""
    run = repository.add_run(new_run(owner=ANN, created_at=datetime.now(UTC), **fields))
    return repository.record_failure(run, FAILURE, NO_USAGE, datetime.now(UTC)).run_id


def test_runs_are_filtered_by_caller_on_the_server(
    open_page: OpenConsole, runs: Runs, repository: DynamoDBRunRepository, served: ServedConsole
) -> None:
    anns, other = add_run_of_ann(repository), runs.run_script(Say("Done.")).run["run_id"]
    page = open_page("/runs").page
    expect(page.locator(f"tr[data-run={other}]")).to_be_visible()

    page.get_by_label("Caller").fill(f" {ANN} ")
    page.get_by_label("Caller").press("Enter")

    expect(page.locator(f"tr[data-run={other}]")).to_have_count(0)
    expect(page.locator(f"tr[data-run={anns}]")).to_be_visible()
    assert served.requests[-1] == f"runs?limit=50&owner={quote_plus(ANN)}"
    assert page.url.endswith(f"#/runs?caller={quote_plus(ANN)}")

    page.get_by_label("Status").select_option("completed")
    expect(page.get_by_text("No run of this caller is completed.")).to_be_visible()
    page.get_by_label("Status").select_option("")
    expect(page.locator(f"tr[data-run={anns}]")).to_be_visible()

    page.get_by_label("Caller").fill("")
    page.get_by_label("Caller").press("Enter")
    expect(page.locator(f"tr[data-run={other}]")).to_be_visible()
    assert page.url.endswith("#/runs")


def test_the_caller_in_the_address_is_that_of_the_list(
    open_page: OpenConsole, repository: DynamoDBRunRepository
) -> None:
    anns = add_run_of_ann(repository)

    page = open_page(f"/runs?caller={quote(ANN, safe='')}").page
    expect(page.locator(f"tr[data-run={anns}]")).to_be_visible()
    expect(page.get_by_label("Caller")).to_have_value(ANN)

    page.locator(f"tr[data-run={anns}] a.line").click()
    page.get_by_text("How it was started").click()
    page.get_by_role("link", name=ANN).click()
    expect(page.locator(f"tr[data-run={anns}]")).to_be_visible()
    expect(page.get_by_label("Caller")).to_have_value(ANN)

    page = open_page("/runs?caller=nobody").page
    expect(page.get_by_text("There is no run of this caller.")).to_be_visible()


def test_a_caller_that_the_api_refuses_is_said_and_can_be_corrected(
    open_page: OpenConsole, repository: DynamoDBRunRepository
) -> None:
    anns = add_run_of_ann(repository)
    page = open_page(f"/runs?caller={'x' * 257}").page
    expect(page.get_by_role("alert").first).to_contain_text(
        "owner: String should have at most 256 characters"
    )

    page.get_by_label("Text").fill("Go")
    expect(page.get_by_role("alert").first).to_be_visible()
    page.get_by_label("Caller").fill(ANN)
    page.get_by_label("Caller").press("Enter")

    expect(page.locator(f"tr[data-run={anns}]")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("session", "path", "is_shown"),
    [
        ({"tenancy": "one"}, "/runs", True),
        ({"tenancy": "many"}, "/runs", False),
        ({"tenancy": "many"}, "/runs?caller=anybody", True),
        ({"tenancy": None}, "/runs", True),
        (None, "/runs", True),
    ],
)
def test_the_filter_for_callers_is_hidden_where_a_user_sees_only_its_own_runs(
    open_page: OpenConsole, session: dict[str, Any] | None, path: str, is_shown: bool
) -> None:
    """If it is not known whose runs the user sees, the API decides."""
    page = open_page("/health").page
    answer = {"status": 404, "json": {}} if session is None else {"json": session}
    page.route("**/console/session", lambda route: route.fulfill(**answer))
    with page.expect_response("**/console/session"):
        page.evaluate("path => { location.hash = path }", path)

    expect(page.locator("table.runs, .empty").first).to_be_visible()
    expect(page.get_by_label("Caller")).to_be_visible(visible=is_shown)


def test_a_page_that_comes_after_the_filter_has_changed_is_not_shown(open_page: OpenConsole) -> None:
    held: list[Route] = []

    def page_of(run_id: str, **fields: str) -> dict[str, Any]:
        run = {"status": "failed", "excerpt": run_id, "assistant": "a", "model": "m", "round": 1}
        times = {"created_at": "2026-11-27T03:00:00Z", "ended_at": "2026-11-27T03:00:01Z"}
        return {"runs": [{"run_id": run_id, **run, **times}], **fields}

    def respond(route: Route) -> None:
        if "cursor=" in route.request.url:
            held.append(route)
        elif "owner=" in route.request.url:
            route.fulfill(json=page_of("run_01"))
        else:
            route.fulfill(json=page_of("run_03", next_cursor="run_03"))

    page = open_page("/health").page
    page.route("**/api/runs?*", respond)
    page.evaluate("location.hash = '/runs'")
    with page.expect_request("**/api/runs?*cursor=run_03*"):
        page.get_by_role("button", name="Load more").click()
    page.get_by_label("Caller").fill(ANN)
    page.get_by_label("Caller").press("Enter")
    expect(page.locator("tr[data-run=run_01]")).to_be_visible()

    with page.expect_response("**/api/runs?*cursor=run_03*"):
        held[0].fulfill(json=page_of("run_02"))

    expect(page.locator("button.more")).to_be_enabled()
    assert [row.get_attribute("data-run") for row in page.locator("tbody tr").all()] == ["run_01"]


def test_the_list_follows_what_happens(open_page: OpenConsole, runs: Runs) -> None:
    page = open_page("/runs").page
    expect(page.locator("table.runs, .empty").first).to_be_visible()

    run_id = runs.start_script(Hang(), prompt="Wait for it.")
    expect(page.locator(f"tr[data-run={run_id}]")).to_contain_text("in progress")
    runs.http.post(f"/runs/{run_id}/cancel")

    expect(page.locator(f"tr[data-run={run_id}]")).to_contain_text("cancelled")


def test_nothing_jumps_while_somebody_is_at_a_line(open_page: OpenConsole, runs: Runs) -> None:
    before = runs.run_script(Say("Done.")).run["run_id"]
    page = open_page("/runs").page
    page.locator(f"tr[data-run={before}] a.line").focus()

    after = runs.run_script(Say("Done."), prompt="Newer.").run["run_id"]

    fresh = page.get_by_role("button", name="1 new run")
    expect(fresh).to_be_visible()
    expect(page.locator(f"tr[data-run={after}]")).to_have_count(0)
    expect(page.locator(f"tr[data-run={before}] a.line")).to_be_focused()
    fresh.click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-run", after)
