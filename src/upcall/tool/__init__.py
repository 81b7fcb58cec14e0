"""`tool()` makes a tool of a typed Python function: something that a model can call and a Lambda can run.

Name, description, strict JSON schema, validation of arguments, errors, time-out, the limit on the output and
the Lambda handler all come from the function, which stays as it is and can be called directly.
"""

from typing import TYPE_CHECKING, Any

from upcall.tool.event import ToolEvent, current_call
from upcall.tool.output import Truncatable

__all__ = ["Tool", "ToolEvent", "Truncatable", "current_call", "tool"]

if TYPE_CHECKING:
    from upcall.tool.handler import Tool, tool
else:

    def __getattr__(name: str) -> Any:
        """Load the handler when it is used: it loads the logger, which `upcall.client` does without."""
        if name not in ("Tool", "tool"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from upcall.tool import handler

        return getattr(handler, name)
