"""One run in the console: it is started, watched to its end, cancelled, retried, and read."""

import json
import re

from console.browser import OpenConsole
from playwright.sync_api import expect
from support.runs import Runs
from support.waiting import wait_until

from local.openai_emulator import CallTools, Fail, Say
from local.openai_emulator.conversation import Call, Hang
from local.stack import LocalStack


def test_a_run_is_started_and_watched_to_its_end(open_page: OpenConsole, local_stack: LocalStack) -> None:
    console = open_page("/start")
    page = console.page

    page.get_by_label("Prompt (needed)").fill(f"Summarise {local_stack.endpoints.pages}/tides")
    page.get_by_label("Rounds", exact=True).fill("3")
    page.get_by_role("button", name="Start", exact=True).click()

    expect(page).to_have_url(re.compile("#/runs/run_"))
    expect(page.locator("main")).to_contain_text("completed")
    expect(page.get_by_role("heading", name="Message")).to_be_visible()
    assert "Why the tide comes twice a day" in page.locator("section.message").inner_text()
    expect(page.locator(".rounds")).to_contain_text("Round 1 · 1 call")


def test_the_message_is_shown_as_the_model_writes_it(
    open_page: OpenConsole, runs: Runs, local_stack: LocalStack
) -> None:
    text = " ".join(f"word-{number}" for number in range(60))
    model = local_stack.emulator.script(Say(text, after_seconds=5))
    page = open_page("/start").page
    page.get_by_label("Prompt (needed)").fill("Go.")
    page.get_by_label("Model", exact=True).fill(model)
    page.get_by_text("More fields").click()
    page.get_by_label("Show the message").select_option("as the model writes it")
    page.get_by_role("button", name="Start", exact=True).click()

    message = page.locator("section.message")
    expect(message).to_contain_text("The model writes")
    expect(message).to_contain_text("word-0")
    assert "word-59" not in message.inner_text()
    expect(page.locator(".head-line")).to_contain_text("completed", timeout=20_000)
    expect(message.get_by_role("heading")).to_contain_text("Message")
    expect(message).to_contain_text(text)
    expect(message).not_to_contain_text("The model writes")


def test_a_page_that_is_opened_in_the_second_turn_shows_all_of_its_text(
    open_page: OpenConsole, runs: Runs, local_stack: LocalStack
) -> None:
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),))
    run_id = runs.start_script(fetch, Say("first " + "word " * 200, after_seconds=20), stream=True)
    wait_until(
        lambda: runs.http.get(f"/runs/{run_id}/events?text_after=0").json()["next_text"] > 2, "some text"
    )
    page = open_page(f"/runs/{run_id}").page

    expect(page.locator("section.message")).to_contain_text("first word")
    page.get_by_role("button", name="Cancel the run").click()


def test_what_was_written_before_a_failure_goes_away(open_page: OpenConsole, runs: Runs) -> None:
    """The message of a run that was cancelled is none."""
    run_id = runs.start_script(Say("word " * 200, after_seconds=20), stream=True)
    page = open_page(f"/runs/{run_id}").page
    message = page.locator("section.message")
    expect(message).to_contain_text("word", timeout=20_000)

    page.get_by_role("button", name="Cancel the run").click()

    expect(page.locator(".head-line")).to_contain_text("cancelled")
    expect(message).to_be_hidden()


def test_a_page_that_a_tool_has_read_is_text(
    open_page: OpenConsole, runs: Runs, local_stack: LocalStack
) -> None:
    ended = runs.run(f"Summarise {local_stack.endpoints.pages}/tides")
    page = open_page(f"/runs/{ended.run['run_id']}").page

    page.locator(".call summary").click()

    document = page.locator(".call .document")
    expect(document.locator(".document-title")).to_have_text("Why the tide comes twice a day")
    expect(document.locator(".text")).to_contain_text("moon", ignore_case=True)
    expect(page.locator(".call-body")).to_contain_text("url")


def test_the_timeline_adds_up_to_the_time_of_the_run(open_page: OpenConsole, runs: Runs) -> None:
    ended = runs.run_script(CallTools((Call.of("fetch", url="http://127.0.0.1:1/"),)), Say("Done."))
    page = open_page(f"/runs/{ended.run['run_id']}").page

    expect(page.locator(".rounds > li")).to_have_count(2)
    names = page.locator(".legend li").all_inner_texts()

    assert [name.split()[0] for name in names] == ["model", "tools", "waiting", "overhead"]


def test_a_failed_run_says_why_and_what_to_do(open_page: OpenConsole, runs: Runs) -> None:
    ended = runs.run_script(CallTools((Call.of("fetch", url="http://127.0.0.1:1/"),)), limits={"rounds": 1})
    page = open_page(f"/runs/{ended.run['run_id']}").page

    failure = page.locator("section.failure")

    expect(failure).to_contain_text("The model asked for tools more often than the limit of rounds allows.")
    expect(failure).to_contain_text("Give the run more rounds")
    expect(failure).to_contain_text("limit_rounds")


def test_a_run_is_cancelled(open_page: OpenConsole, runs: Runs) -> None:
    run_id = runs.start_script(Hang())
    page = open_page(f"/runs/{run_id}").page

    page.get_by_role("button", name="Cancel the run").click()

    expect(page.locator(".head-line")).to_contain_text("cancelled")
    expect(page.get_by_role("heading", name="Why it was cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the run")).to_be_hidden()
    assert runs.http.get(f"/runs/{run_id}").json()["status"] == "cancelled"


def test_a_failed_run_is_retried_and_watched_on(
    open_page: OpenConsole, runs: Runs, local_stack: LocalStack
) -> None:
    ended = runs.run_script(Fail("content_filter", "No."))
    local_stack.emulator.models.replace_steps(ended.run["model"], Say("Now it works."))
    page = open_page(f"/runs/{ended.run['run_id']}").page

    page.get_by_role("button", name="Retry").click()

    expect(page.locator("section.message")).to_contain_text("Now it works.")
    expect(page.locator(".head-line")).to_contain_text("completed")
    expect(page.locator(".rounds")).to_contain_text("Attempt 2")


def test_an_error_of_the_api_is_shown_at_its_field(open_page: OpenConsole) -> None:
    page = open_page("/start").page

    page.get_by_label("Prompt (needed)").fill("Go.")
    page.get_by_label("Rounds", exact=True).fill("99")
    page.get_by_label("Tokens", exact=True).fill("many")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#field-limits-tokens-error")).to_have_text("is not a number")

    page.get_by_label("Tokens", exact=True).fill("1000")
    page.get_by_role("button", name="Start", exact=True).click()

    expect(page.locator("#field-limits-rounds-error")).to_contain_text("less than or equal to 50")
    expect(page.get_by_label("Rounds", exact=True)).to_be_focused()


def test_a_run_like_another_is_offered(open_page: OpenConsole, runs: Runs) -> None:
    ended = runs.run_script(Say("Done."), prompt="Count the boats.")
    page = open_page(f"/runs/{ended.run['run_id']}").page

    page.get_by_role("link", name="Start one like it").click()

    expect(page.get_by_label("Prompt (needed)")).to_have_value("Count the boats.")
    expect(page.get_by_label("Model", exact=True)).to_have_value(ended.run["model"])


def test_json_in_arguments_folds(open_page: OpenConsole, runs: Runs) -> None:
    arguments = json.dumps(
        {"url": "http://127.0.0.1:1/", "options": {"deep": {"deeper": {"deepest": [1, 2]}}}}
    )
    ended = runs.run_script(CallTools((Call("fetch", arguments),)), Say("Done."))
    page = open_page(f"/runs/{ended.run['run_id']}").page

    page.locator(".call > summary").click()

    expect(page.locator(".call-body dt", has_text="deeper")).to_be_visible()
    expect(page.locator(".call-body dt", has_text="deepest")).to_be_hidden()
