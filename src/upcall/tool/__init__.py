"""`tool()`: turns a typed Python function into something a model can call and a Lambda can run.

Name, description, strict JSON schema, validation of the arguments, mapping of errors, time-out, the cap
on the output and the Lambda handler all come from the function, which stays as it is: directly callable.
"""

from upcall.tool.handler import Tool, ToolEvent, this_call, tool
from upcall.tool.output import Fitting

__all__ = ["Fitting", "Tool", "ToolEvent", "this_call", "tool"]
