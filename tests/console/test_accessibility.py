"""Every page in both themes, wide and narrow: no violation of WCAG 2 A and AA that axe-core finds."""

from collections.abc import Iterator

import pytest
from console.axe import assert_accessible, violations
from console.browser import OpenConsole
from console.saved_runs import large_rounds, save_run
from support.batches import Batches
from support.runs import Runs

from local.openai_emulator import CallTools, Fail, Say
from local.openai_emulator.conversation import Call
from upcall.aws.run_repository import DynamoDBRunRepository

PAGES = [
    "runs",
    "run",
    "open call",
    "failed run",
    "start",
    "approvals",
    "batches",
    "batch",
    "tools",
    "health",
    "unknown page",
]


@pytest.fixture(scope="module")
def paths(runs: Runs, batches: Batches, repository: DynamoDBRunRepository) -> Iterator[dict[str, str]]:
    """The addresses of the pages, each with something on it."""
    call = CallTools((Call("notify", '{"message": "High water at noon."}'),))
    waiting = runs.start_script(call, Say("Sent."), assistant="announcer")
    runs.wait_for_open_calls(waiting)
    batch = batches.start(["Say one.", {"prompt": ""}])
    batches.wait_for_end(batch)
    yield {
        "runs": "/runs",
        "run": f"/runs/{save_run(repository, large_rounds(2, 3), 'See https://example.com/tides.').run_id}",
        "open call": f"/runs/{waiting}",
        "failed run": f"/runs/{runs.run_script(Fail('content_filter', 'No.')).run['run_id']}",
        "start": "/start",
        "approvals": "/approvals",
        "batches": "/batches",
        "batch": f"/batches/{batch}",
        "tools": "/tools",
        "health": "/health",
        "unknown page": "/nothing",
    }
    runs.http.post(f"/runs/{waiting}/cancel")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(open_page: OpenConsole, paths: dict[str, str], name: str, theme: str) -> None:
    console = open_page(paths[name], theme=theme)
    page = console.page
    page.wait_for_load_state("networkidle") if name in (
        "start",
        "tools",
        "health",
    ) else page.wait_for_timeout(700)
    for summary in page.locator("main summary:visible").all():
        if summary.evaluate("node => !node.parentElement.open"):
            summary.click()

    assert_accessible(console)


def test_the_list_of_keys_is_accessible(open_page: OpenConsole) -> None:
    console = open_page("/runs")
    console.page.get_by_role("button", name="Keys").click()

    assert violations(console) == []


def test_the_switch_overrides_the_theme_of_the_system(open_page: OpenConsole) -> None:
    page = open_page("/health", theme="dark").page
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)

    page.get_by_label("Theme").select_option("light")

    assert page.evaluate(background) != dark
    page.reload()
    assert page.evaluate(background) != dark
