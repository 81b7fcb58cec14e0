"""The console by keyboard alone."""

from console.browser import OpenConsole
from console.saved_runs import large_rounds, save_run
from playwright.sync_api import Page, expect
from support.runs import Runs

from local.openai_emulator import CallTools, Say
from local.openai_emulator.conversation import Call
from upcall.aws.run_repository import DynamoDBRunRepository


def press_until(page: Page, key: str, selector: str, times: int = 60) -> None:
    """Press a key until an element has the focus, which is visible then."""
    for _ in range(times):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{key} does not lead to {selector}")


def test_a_run_is_found_read_and_left_with_keys(
    open_page: OpenConsole, repository: DynamoDBRunRepository
) -> None:
    run = save_run(repository, large_rounds(1, 2), "All of it was read.", prompt="Read it with keys.")
    page = open_page("/runs").page
    page.locator(f"tr[data-run={run.run_id}]").wait_for()

    page.keyboard.press("/")
    page.keyboard.type("read it with keys")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("Read it with keys.")
    page.locator(".call").first.wait_for()
    press_until(page, "Tab", ".call > summary")
    page.keyboard.press("Enter")
    expect(page.locator(".document-title")).to_have_text("Page 1.1")
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.get_by_role("heading", level=1)).to_have_text("Health")


def test_a_call_is_approved_with_keys(open_page: OpenConsole, runs: Runs) -> None:
    call = CallTools((Call("notify", '{"message": "High water."}'),))
    run_id = runs.start_script(call, Say("Sent."), assistant="announcer")
    page = open_page(f"/runs/{run_id}").page
    page.locator("section.open-call").wait_for()

    press_until(page, "Tab", "textarea[name=reason]")
    page.keyboard.type("Yes: gj/?")
    press_until(page, "Tab", "button[value=approve]", 1)
    page.keyboard.press("Enter")

    expect(page.locator("section.message")).to_contain_text("Sent.")
    assert runs.list_calls(run_id)[0]["decision"]["reason"] == "Yes: gj/?"


def test_each_focused_element_has_a_ring(open_page: OpenConsole) -> None:
    page = open_page("/start").page
    page.locator("form.start").wait_for()

    for _ in range(20):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "(() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle + style.outlineWidth; })()"
        )
        assert outline == "solid2px"


def test_the_first_tab_leads_to_the_content(open_page: OpenConsole) -> None:
    page = open_page("/health").page
    page.locator(".verdict").wait_for()

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "content"
    expect(page.locator(".verdict")).to_be_visible()


def test_single_keys_can_be_switched_off(open_page: OpenConsole) -> None:
    page = open_page("/runs").page
    page.keyboard.press("?")
    page.get_by_label("Single keys do this").uncheck()
    page.get_by_role("button", name="Close").click()

    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_timeout(100)

    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
