"""A tab of the browser that shows the console, and what may not happen in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Chromium runs as root in containers, and asks nobody for anything."""

OBSERVE = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
window.longTasks = [];
new PerformanceObserver((list) => {
  longTasks.push(...list.getEntries().map((entry) => entry.duration));
}).observe({ type: "longtask", buffered: true });
"""
"""Runs before the scripts of a page: it notes what the content security policy has blocked, and long tasks."""


@dataclass
class Console:
    """A tab. `problems` are errors of its scripts, dialogs, and requests to other hosts than `address` and `issuer`."""

    page: Page
    address: str
    problems: list[str] = field(default_factory=list)
    issuer: str = "data:"

    def go(self, path: str) -> None:
        """Show another page of the console."""
        self.page.evaluate("path => { location.hash = path }", path)

    def text(self) -> str:
        """What the page shows."""
        return str(self.page.locator("main").inner_text())

    def violations(self) -> list[str]:
        """What the content security policy has blocked."""
        return list(self.page.evaluate("violations"))

    def close(self) -> None:
        """Close the tab, and forget what it has stored."""
        self.page.context.close()

    def watch(self) -> None:
        """Note what goes wrong from now on."""
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("dialog", self._note_dialog)
        self.page.on("request", self._note_request)
        self.page.on("console", self._note_message)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", self.issuer, "data:")):
            self.problems.append(f"request to {request.url}")

    def _note_message(self, message: ConsoleMessage) -> None:
        # the browser writes a line for each response that is an error, which pages show
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(f"console: {message.text}")


class OpenConsole(Protocol):
    """Opens a page of the console in a new tab: see open_console."""

    def __call__(self, path: str = "/runs", **options: Any) -> Console: ...


def open_console(
    browser: Browser,
    address: str,
    path: str,
    *,
    width: int = 1280,
    height: int = 800,
    theme: str = "light",
    issuer: str = "data:",
) -> Console:
    """Open a page of the console in a new tab of that size, with the theme that the system prefers.

    `address` is that of the server, with its token; for a site, `issuer` is where one signs in.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
    )
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.add_init_script(OBSERVE)
    console = Console(page, address.partition("/#")[0], issuer=issuer)
    console.watch()
    page.goto(f"{address}{path}")
    return console


@contextmanager
def open_consoles(
    browser: Browser, address: str, first_page: str, issuer: str = "data:"
) -> Iterator[OpenConsole]:
    """Open pages of the console in new tabs. At the end, nothing may have gone wrong in them."""
    opened: list[Console] = []

    def open_it(path: str = first_page, **options: Any) -> Console:
        opened.append(open_console(browser, address, path, issuer=issuer, **options))
        return opened[-1]

    yield open_it
    for console in opened:
        console.close()
        assert console.problems == []
