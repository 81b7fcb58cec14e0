"""The list of runs: filters, and what happens while somebody looks at it."""

import json

from console.browser import OpenConsole
from console.served import ServedConsole
from playwright.sync_api import Route, expect
from support.runs import Runs

from local.openai_emulator import Fail, Say
from local.openai_emulator.conversation import Hang


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


def test_runs_are_filtered_by_caller_where_the_list_has_callers(open_page: OpenConsole, runs: Runs) -> None:
    run_id = runs.run_script(Say("Done.")).run["run_id"]
    page = open_page("/health").page

    def add_owners(route: Route) -> None:
        response = route.fetch()
        content = response.json()
        for run in content["runs"]:
            run["owner"] = "arn:aws:iam::1:user/ann" if run["run_id"] == run_id else "arn:aws:iam::1:user/bob"
        route.fulfill(response=response, body=json.dumps(content))

    page.route("**/api/runs?*", add_owners)
    page.evaluate("location.hash = '/runs'")

    page.get_by_label("Caller").fill("ANN")

    expect(page.locator("tbody tr:visible")).to_have_count(1)
    expect(page.locator(f"tr[data-run={run_id}]")).to_be_visible()


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
