"""Calls that wait are answered in the console."""

from console.browser import OpenConsole
from playwright.sync_api import expect
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs

from local.openai_emulator import CallTools, Say
from local.openai_emulator.conversation import Call
from upcall.domain.tool_calls import arguments_digest

NOTIFY = CallTools((Call("notify", '{"message": "The tide comes twice a day."}'),))


def test_a_call_is_approved_with_a_reason(open_page: OpenConsole, runs: Runs) -> None:
    run_id = runs.start_script(
        NOTIFY, Say("Sent."), assistant="announcer", prompt="Tell the team about tides."
    )
    runs.wait_for_open_calls(run_id)
    page = open_page("/approvals").page

    card = page.locator("section.card", has_text="Tell the team about tides.").last
    expect(card).to_contain_text("The tide comes twice a day.")
    expect(card).to_contain_text(arguments_digest(NOTIFY.calls[0].arguments))
    card.get_by_label("Reason").fill("Good news.")
    card.get_by_role("button", name="Approve this call").click()

    expect(card).to_contain_text("Approved by anybody.")
    runs.wait_for_end(run_id)
    (entry,) = runs.list_calls(run_id)
    assert entry["decision"]["reason"] == "Good news."


def test_a_call_is_denied_on_the_page_of_its_run(open_page: OpenConsole, runs: Runs) -> None:
    run_id = runs.start_script(NOTIFY, Say("It was not sent."), assistant="announcer")
    page = open_page(f"/runs/{run_id}").page

    page.get_by_label("Reason").fill("Not today.")
    page.get_by_role("button", name="Deny it").click()

    expect(page.locator("section.message")).to_contain_text("It was not sent.")
    expect(page.locator("section.open-call")).to_have_count(0)
    expect(page.locator(".call")).to_contain_text("denied")
    page.locator(".call > summary").click()
    expect(page.locator(".call-body")).to_contain_text("Not today.")


def test_a_decision_that_came_too_late_is_a_conflict_that_is_shown(
    open_page: OpenConsole, runs: Runs
) -> None:
    run_id = runs.start_script(NOTIFY, Say("Sent."), assistant="announcer", prompt="Tell the team once.")
    (call,) = runs.wait_for_open_calls(run_id)
    page = open_page("/approvals").page
    card = page.locator("section.card", has_text="Tell the team once.").last
    expect(card).to_be_visible()
    page.route("**/api/runs*", lambda route: route.abort())  # the list must not notice
    runs.decide(run_id, call, "deny")

    card.get_by_role("button", name="Approve this call").click()

    expect(card.locator(".result.error")).to_be_visible()
    assert runs.wait_for_end(run_id).run["status"] == "completed"


def test_the_output_of_a_callers_tool_is_given(open_page: OpenConsole, runs: Runs) -> None:
    run_id = runs.start_script(
        CallTools((Call("lookup", '{"order": 4711}'),)), Say("It is on its way."), tools=[LOOKUP_TOOL]
    )
    page = open_page(f"/runs/{run_id}").page

    page.get_by_role("textbox", name="Output").fill('{"state": "sent"}')
    page.get_by_role("button", name="Give this output").click()

    expect(page.locator("section.message")).to_contain_text("It is on its way.")
    (entry,) = runs.list_calls(run_id)
    assert entry["output"]["output"] == '{"state": "sent"}'


def test_names_that_come_twice_and_long_numbers_are_shown_to_who_decides(
    open_page: OpenConsole, runs: Runs
) -> None:
    arguments = '{"order": 12345678901234567890, "order": 1}'
    run_id = runs.start_script(CallTools((Call("lookup", arguments),)), Say("Done."), tools=[LOOKUP_TOOL])
    page = open_page(f"/runs/{run_id}").page

    card = page.locator("section.open-call")

    expect(card).to_contain_text("12345678901234567890")
    expect(card).to_contain_text("comes twice")
