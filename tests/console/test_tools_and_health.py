"""Tools are tried, and the health of the stack is shown."""

from console.browser import OpenConsole
from console.served import ServedConsole
from playwright.sync_api import expect

from local.stack import LocalStack


def test_a_tool_is_tried(open_page: OpenConsole, local_stack: LocalStack) -> None:
    page = open_page("/tools").page
    card = page.locator("section.card", has=page.get_by_role("heading", name="fetch", exact=True))

    card.get_by_text("Try it").click()
    card.get_by_label("url").fill(f"{local_stack.endpoints.pages}/tides")
    card.get_by_role("button", name="Call it").click()

    expect(card.locator(".document-title")).to_have_text("Why the tide comes twice a day")


def test_a_tool_with_an_effect_is_refused_with_a_sentence(open_page: OpenConsole) -> None:
    page = open_page("/tools").page
    card = page.locator("section.card", has=page.get_by_role("heading", name="notify", exact=True))

    card.get_by_text("Try it").click()
    card.get_by_label("message").fill("Hello.")
    card.get_by_role("button", name="Call it").click()

    expect(card.get_by_role("alert")).to_have_text(
        "notify is not tried: a call has an effect, which is meant to happen in a run, and once"
    )


def test_health_says_what_needs_attention(open_page: OpenConsole, served: ServedConsole) -> None:
    page = open_page("/health").page

    verdict = page.locator(".verdict")

    expect(verdict).to_contain_text(
        "1 alarm is active, 2 messages are in dead-letter queues and the start of runs is stopped."
    )
    expect(page.locator("main")).to_contain_text("DeadLetterAlarm")
    expect(page.locator("main")).to_contain_text("12 of 100")
    expect(page.locator("main")).to_contain_text("night-job")


def test_health_that_could_not_be_read_is_not_called_good(open_page: OpenConsole) -> None:
    page = open_page("/runs").page
    reason = "cloudwatch: not authorized to perform DescribeAlarms"
    health = {"dead_letters": [], "alarms": [], "quotas": None, "stopped": [], "unknown": [reason]}
    page.route("**/console/health", lambda route: route.fulfill(json=health))
    page.evaluate("location.hash = '/health'")

    expect(page.locator(".verdict")).to_have_text("Not everything could be read.")
    expect(page.locator("main")).to_contain_text(reason)
