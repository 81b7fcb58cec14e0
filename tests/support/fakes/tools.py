"""Tools that exist by name and description only."""

from collections.abc import Iterable

from upcall.domain.tool_calls import ToolDefinition

READS_STACK_DATA = "read_object"
"""The tool that only runs of one tenant, and runs that events ask for, may use."""


class FakeTools:
    """Implements Tools: every name is a tool, and one of them reads data of the stack."""

    def allowed(self, names: Iterable[str], *, may_read_stack_data: bool) -> tuple[str, ...]:
        """See Tools."""
        return tuple(name for name in names if may_read_stack_data or name != READS_STACK_DATA)

    def definitions(self, names: Iterable[str]) -> list[ToolDefinition]:
        """See Tools."""
        return [ToolDefinition(name=name, description=f"Does {name}.", parameters={}) for name in names]
