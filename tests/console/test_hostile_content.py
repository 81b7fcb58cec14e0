"""Whatever a model, a page or a caller writes is text: no script runs, and no page breaks."""

import json
from typing import Any

import pytest
from console.browser import Console, OpenConsole
from console.hostile import BIDI, EVERYTHING, LINE, LINKS, MARKUP, SCRIPT_LINK
from console.saved_runs import save_run
from playwright.sync_api import Route, expect
from support.open_calls import LOOKUP_TOOL
from support.run_records import new_run
from support.runs import Runs

from local.openai_emulator import CallTools, Say
from local.openai_emulator.conversation import Call
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.failure import Failure
from upcall.domain.tool_calls import ToolCall
from upcall.domain.usage import NO_USAGE

MAX_LONG_TASK_MS = 200


def assert_harmless(console: Console) -> None:
    """No script ran or was stopped from running, and the page is as wide as the window."""
    page = console.page
    assert page.evaluate("window.hacked") is None
    assert console.violations() == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("main :is(script, img, iframe, style, svg, object, embed, form[action])").count() == 0
    for link in page.locator("main a").all():
        address = link.get_attribute("href") or ""
        assert address.startswith(("#/", "http://", "https://")), address
        if not address.startswith("#/"):
            assert link.get_attribute("rel") == "noopener noreferrer"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_run_full_of_hostile_texts_is_text(
    open_page: OpenConsole, repository: DynamoDBRunRepository, width: int
) -> None:
    output = {
        "title": EVERYTHING,
        "url": SCRIPT_LINK,
        "text": f"{EVERYTHING}\n{LINE[:200_000]}",
        "links": [SCRIPT_LINK, MARKUP],
        MARKUP: BIDI,
    }
    call = ToolCall(
        call_id="call_1",
        name=f"fetch{MARKUP}{BIDI}",
        arguments=json.dumps({MARKUP: EVERYTHING, "url": SCRIPT_LINK}),
    )
    plain = ToolCall(call_id="call_2", name="a" * 500, arguments=EVERYTHING)
    run = save_run(
        repository,
        [[(call, json.dumps(output)), (plain, EVERYTHING)]],
        EVERYTHING,
        prompt=EVERYTHING,
        model=MARKUP,
        instructions=EVERYTHING,
        metadata={MARKUP[:60]: BIDI, "link": SCRIPT_LINK},
        owner=EVERYTHING[:300],
        started_by=BIDI,
    )
    console = open_page(f"/runs/{run.run_id}", width=width)
    page = console.page
    page.locator(".rounds > li").first.wait_for()
    for summary in page.locator("summary:visible").all():
        if summary.evaluate("node => !node.parentElement.open"):
            summary.click()
    page.locator(".call-body .document").wait_for()

    assert MARKUP in page.locator("section.message").inner_text()
    assert "‹U+202E›" in page.locator("section.message").inner_text()
    assert_harmless(console)
    console.go("/runs")
    page.locator(f"tr[data-run={run.run_id}]").wait_for()
    assert_harmless(console)


def test_lines_of_a_megabyte_do_not_freeze_the_page(
    open_page: OpenConsole, repository: DynamoDBRunRepository
) -> None:
    call = ToolCall(call_id="call_1", name="fetch", arguments=json.dumps({"url": LINE[:50_000]}))
    run = save_run(repository, [[(call, json.dumps({"text": LINE[:200_000]}))]], LINE)
    console = open_page(f"/runs/{run.run_id}", width=390)
    page = console.page

    page.locator(".call > summary").click()
    page.locator(".call-body .document").wait_for()
    more = page.locator("section.message").get_by_role("button", name="Show more")
    for _ in range(3):
        more.click()
    page.wait_for_timeout(300)

    expect(page.locator("section.message .text")).to_have_text("x" * 36_000)
    assert_harmless(console)
    assert max(page.evaluate("longTasks"), default=0) < MAX_LONG_TASK_MS


def test_a_failure_in_hostile_words_is_text(
    open_page: OpenConsole, repository: DynamoDBRunRepository
) -> None:
    run = repository.add_run(new_run(prompt="Go."))
    failure = Failure(code=MARKUP, message=EVERYTHING)
    repository.record_failure(run, failure, NO_USAGE, run.created_at, partial_text=EVERYTHING)
    console = open_page(f"/runs/{run.run_id}")

    expect(console.page.locator("section.failure")).to_contain_text("It ended with an error.")
    expect(console.page.locator("section.failure")).to_contain_text("<script>window.hacked=1</script>")
    assert_harmless(console)


def test_hostile_arguments_that_wait_for_an_answer_are_text(open_page: OpenConsole, runs: Runs) -> None:
    arguments = json.dumps({"order": EVERYTHING, MARKUP: {BIDI: LINKS}}, ensure_ascii=False)
    tool = {**LOOKUP_TOOL, "description": EVERYTHING}
    run_id = runs.start_script(
        CallTools((Call("lookup", arguments),)), Say("Done."), tools=[tool], prompt=EVERYTHING
    )
    runs.wait_for_open_calls(run_id)
    console = open_page("/approvals", width=390)

    card = console.page.locator("section.card", has_text="onerror").last
    expect(card).to_contain_text("‹U+202E›")
    expect(card).to_contain_text("‹U+200B›")
    assert_harmless(console)
    console.go(f"/runs/{run_id}")
    console.page.locator("section.open-call").wait_for()
    assert_harmless(console)
    runs.http.post(f"/runs/{run_id}/cancel")


HOSTILE_HEALTH = {
    "dead_letters": [{"queue": EVERYTHING, "messages": 1}],
    "alarms": [{"name": EVERYTHING, "state": MARKUP, "reason": EVERYTHING, "since": "2026-11-26T20:00:00Z"}],
    "quotas": None,
    "stopped": [EVERYTHING],
}
HOSTILE_TOOL = {
    "name": MARKUP,
    "description": EVERYTHING,
    "parameters": {
        "type": "object",
        "properties": {
            MARKUP: {"type": "string", "description": EVERYTHING, "default": EVERYTHING},
            "__proto__": {"type": "integer"},
            "choice": {"enum": [MARKUP, None, {"a": BIDI}]},
            "nested": {"$ref": "#/$defs/loop"},
            "odd": None,
        },
        "required": [MARKUP],
        "$defs": {"loop": {"$ref": "#/$defs/loop"}},
    },
}


@pytest.mark.parametrize(
    ("path", "pattern", "content"),
    [
        ("/health", "**/console/health", HOSTILE_HEALTH),
        ("/tools", "**/api/tools", {"tools": [HOSTILE_TOOL]}),
        (
            "/start",
            "**/api/assistants",
            {
                "assistants": [
                    {
                        "name": MARKUP,
                        "description": EVERYTHING,
                        "tools": [MARKUP],
                        "limits": {"rounds": MARKUP},
                    }
                ]
            },
        ),
    ],
)
def test_hostile_answers_of_other_routes_are_text(
    open_page: OpenConsole, path: str, pattern: str, content: dict[str, Any]
) -> None:
    console = open_page("/runs", width=390)
    page = console.page

    def answer(route: Route) -> None:
        route.fulfill(json=content)

    page.route(pattern, answer)
    console.go(path)
    page.locator(".verdict, .card, form.start").first.wait_for()
    if path == "/start":
        page.get_by_label("Assistant", exact=True).select_option(MARKUP)
    for summary in page.locator("summary:visible").all():
        summary.click()

    assert "onerror" in console.text() or path == "/start"
    assert_harmless(console)


def test_hostile_addresses_lead_nowhere(open_page: OpenConsole) -> None:
    console = open_page("/runs")

    for path in (
        "/runs/<script>",
        "/runs/..%2f..%2fconsole",
        "/%00",
        "/runs?text=<img src=x onerror=hacked=1>",
    ):
        console.go(path)
        console.page.locator("h1").wait_for()
        assert_harmless(console)
