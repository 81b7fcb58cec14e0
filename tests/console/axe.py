"""What axe-core finds on a page."""

from importlib.resources import files

from console.browser import Console

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(console: Console) -> list[str]:
    """The violations of WCAG 2 A and AA, with the elements."""
    page = console.page
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, { runOnly: { type: 'tag', values: rules } })", RULES)
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def assert_accessible(console: Console) -> None:
    """No violations, on a wide screen and on a narrow one, which need not be scrolled sideways."""
    page = console.page
    page.wait_for_timeout(200)
    assert violations(console) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(100)
    assert violations(console) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
