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
