"""`upcall run`: what is asked for, and how it went, for people or for machines."""

from pydantic import ValidationError
from rich.console import Console

from cli.backends.base import Fields, Outcome, Source
from cli.terminal.render import print_json, summary_line
from upcall.domain.errors import InvalidInput
from upcall.domain.run_request import RunRequest
from upcall.domain.validation import field_errors


def run_and_show(
    source: Source,
    prompt: str | None,
    fields: Fields,
    *,
    out: Console,
    err: Console,
    as_json: bool,
) -> bool:
    """Run a prompt. Whether it completed.

    Progress goes to `err`, the message to `out`. Raises Problem or InvalidInput for bad input.
    """
    return show(source.run(prompt, fields, err), out=out, err=err, as_json=as_json)


def show(outcome: Outcome, *, out: Console, err: Console, as_json: bool) -> bool:
    """Print how a run went: the message to `out`, the rest to `err`. Whether it completed."""
    _print(outcome, out, err, as_json=as_json)
    return outcome.run.status == "completed"


def request(prompt: str, fields: Fields) -> RunRequest:
    """The request that is sent. Raises InvalidInput."""
    try:
        return RunRequest.model_validate({"prompt": prompt, **fields})
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error


def announce(err: Console, run_id: str, where: str, asked: RunRequest) -> None:
    """Say which run has been started, where, and with what prompt."""
    err.print(f"{run_id}  {where}", style="dim", soft_wrap=True)
    err.print(asked.prompt, style="bold", soft_wrap=True, markup=False)


def _print(outcome: Outcome, out: Console, err: Console, *, as_json: bool) -> None:
    run, took = outcome.run, outcome.took
    if as_json:
        record = run.model_dump(mode="json", exclude_none=True)
        if took:
            record |= {"transitions": took.transitions, "estimated_dollars": took.dollars}
        print_json(out, {**record, "ledger": [entry.model_dump(mode="json") for entry in outcome.ledger]})
        return
    err.print()
    if run.message is not None:
        out.print(run.message, soft_wrap=not out.is_terminal, markup=False)
        err.print()
    elif run.failure:
        words = f"{run.failure.code}: {run.failure.message}"
        err.print(words, style="red", soft_wrap=True, markup=False)
    err.print(summary_line(run, took), soft_wrap=True)
