"""The connection is lost and comes back: each event is shown once, in order."""

import random

from console.browser import OpenConsole
from playwright.sync_api import Route, expect
from support.runs import Runs

from local.openai_emulator import CallTools, Say
from local.openai_emulator.conversation import Call, Hang

CALLS = CallTools((Call.of("fetch", url="http://127.0.0.1:1/"),) * 2, after_seconds=0.3)


def test_events_are_shown_once_and_in_order_after_the_connection_was_lost(
    open_page: OpenConsole, runs: Runs
) -> None:
    run_id = runs.start_script(CALLS, CALLS, CALLS, CALLS, Say("Done.", after_seconds=0.3))
    console = open_page("/health")
    page, chance = console.page, random.Random(17)

    def fail_at_random(route: Route) -> None:
        if chance.random() < 0.4:
            route.abort("connectionreset")
        elif chance.random() < 0.3:
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"message": "Service Unavailable"})
        else:
            route.continue_()

    page.route("**/events?*", fail_at_random)
    console.go(f"/runs/{run_id}")
    page.locator(".event-log summary").click()
    runs.wait_for_end(run_id)

    expect(page.locator(".events li").last).to_contain_text("run.completed", timeout=60_000)
    numbers = [int(text) for text in page.locator(".events li .number").all_inner_texts()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == 2 + 4 * 5 + 2


def test_a_banner_says_that_there_is_no_connection_until_there_is_one(
    open_page: OpenConsole, runs: Runs
) -> None:
    run_id = runs.start_script(CALLS, Hang())
    page = open_page(f"/runs/{run_id}").page
    expect(page.locator(".rounds")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the run")).to_be_visible()

    page.route("**/api/**", lambda route: route.abort())
    runs.http.post(f"/runs/{run_id}/cancel")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#connection")).to_contain_text("No connection.")

    page.unroute("**/api/**")
    expect(page.locator(".head-line")).to_contain_text("cancelled", timeout=40_000)
    expect(page.locator("#connection")).to_be_empty()
