"""Assistants: one TOML file each, in `src/assistants/`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from upcall.domain.approval import ApprovalRule
from upcall.domain.completion_window import CompletionWindow
from upcall.domain.errors import NotFound
from upcall.domain.limits import Limits
from upcall.domain.model import Model
from upcall.domain.upstream_run import RunApiName

FOLDER = Path(__file__).parents[2] / "assistants"


class Assistant(Model):
    """What a run is made with: instructions, tools and limits, and a model and a run API if it names them.

    `approval` says which calls of which tools a person must approve, beside those whose tool demands it.
    """

    name: str
    description: str
    instructions: str
    tools: tuple[str, ...] = ()
    approval: Mapping[str, ApprovalRule] = Field(default_factory=dict)
    model: str | None = None
    run_api: RunApiName | None = None
    completion_window: CompletionWindow | None = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _check_approval(self) -> Self:
        if unknown := sorted(self.approval.keys() - set(self.tools)):
            raise ValueError(
                f"approval names {', '.join(unknown)}, which the assistant does not have as tools"
            )
        return self


def find_assistant(name: str) -> Assistant:
    """The assistant of that name. Raises NotFound, which lists those that exist."""
    try:
        return all_assistants()[name]
    except KeyError:
        known = ", ".join(sorted(all_assistants()))
        raise NotFound(f"there is no assistant {name!r}; there is {known}") from None


@cache
def all_assistants() -> dict[str, Assistant]:
    """All assistants by name, which is the name of the file."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}


def _read(path: Path) -> Assistant:
    return Assistant.model_validate({"name": path.stem, **tomllib.loads(path.read_text("utf-8"))})
