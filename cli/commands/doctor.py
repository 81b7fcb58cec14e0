"""`upcall doctor`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption

if TYPE_CHECKING:
    from cli.doctor.finding import CheckStatus, Finding

MARKS: dict["CheckStatus", tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "red"),
    "unknown": ("?", "red"),
}


def doctor(
    stack: Annotated[
        str | None,
        typer.Option(help="The name of a deployed stack.", show_default="check the local stack"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a deployed stack, or this machine for the local stack. Exits with 1 if there is a problem.

    Uses your AWS credentials, and changes nothing.
    """
    from dataclasses import asdict

    from cli.terminal.console import out, print_json

    findings: list[Finding] = []
    for finding in _check(stack):
        findings.append(finding)
        if not as_json:
            _print_finding(finding)
    problems = sum(each.is_problem for each in findings)
    if as_json:
        print_json(out, [asdict(each) for each in findings])
    else:
        out.print(f"\n{_conclusion(problems)}")
    raise typer.Exit(1 if problems else 0)


def _check(stack: str | None) -> Iterable["Finding"]:
    if stack:
        from cli.doctor.run_checks import check_stack

        return check_stack(stack)
    from cli.doctor.local_checks import check_local_stack

    return check_local_stack()


def _print_finding(finding: "Finding") -> None:
    from rich.text import Text

    from cli.terminal.console import out

    mark, style = MARKS[finding.status]
    out.print(Text.assemble((mark, style), f" {finding.check:<15} {finding.message}"), soft_wrap=True)


def _conclusion(problems: int) -> str:
    if not problems:
        return "No problems found."
    return "1 problem found." if problems == 1 else f"{problems} problems found."
