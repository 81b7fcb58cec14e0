"""`tool()` makes a tool of a typed Python function: something that a model can call and a Lambda can run.

Name, description, strict JSON schema, validation of arguments, errors, time-out, the limit on the output and
the Lambda handler all come from the function, which stays as it is and can be called directly.
"""

from upcall.tool.handler import Tool, ToolEvent, current_call, tool
from upcall.tool.output import Truncatable

__all__ = ["Tool", "ToolEvent", "Truncatable", "current_call", "tool"]
