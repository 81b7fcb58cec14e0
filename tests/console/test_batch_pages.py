"""A batch is followed to its end, and another is cancelled."""

from console.browser import OpenConsole
from playwright.sync_api import expect
from support.batches import Batches

from local.openai_emulator import Say
from local.openai_emulator.conversation import Hang
from local.stack import LocalStack


def test_a_batch_is_followed_to_its_results(
    open_page: OpenConsole, batches: Batches, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(Say("One.", after_seconds=0.3))
    batch_id = batches.start(["Say one."] * 5 + [{"prompt": ""}], concurrency=1, defaults={"model": model})
    page = open_page("/batches").page
    page.locator(f"tr[data-batch={batch_id}] a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(batch_id)

    expect(page.locator(".head-line")).to_contain_text("completed", timeout=30_000)
    expect(page.locator(".big-progress")).to_contain_text("6 of 6 lines ended")
    expect(page.get_by_role("link", name="Lines 1 to 6")).to_be_visible()
    expect(page.get_by_role("link", name="1 failure")).to_have_attribute("rel", "noopener noreferrer")


def test_a_batch_is_cancelled(open_page: OpenConsole, batches: Batches, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(Hang())
    batch_id = batches.start(["Wait."] * 3, concurrency=1, defaults={"model": model})
    batches.wait_for_runs(batch_id, 1)
    page = open_page(f"/batches/{batch_id}").page

    page.get_by_role("button", name="Cancel the batch").click()

    expect(page.locator(".head-line")).to_contain_text("cancelled", timeout=30_000)
    expect(page.locator(".failure")).to_contain_text("cancelled")
