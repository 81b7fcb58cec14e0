"""Shorter time-outs of the workflow's tasks, so that a test does not wait for minutes after a lost webhook.

`python -m support.task_timeouts SECONDS ...` runs the command `upcall ...` with them.
"""

import sys
from typing import Any

import pytest


def shorten_task_timeouts(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let no task of a local stack have more time than this. moto makes clients as its module is loaded."""
    from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds

    evaluate = TimeoutSeconds._eval_body

    def shorten(self: TimeoutSeconds, env: Any) -> None:
        evaluate(self, env)
        env.stack[-1] = min(env.stack[-1], seconds)

    patch.setattr(TimeoutSeconds, "_eval_body", shorten)


if __name__ == "__main__":
    from cli.backends.local_stack import load_local_stack_class
    from cli.main import main

    load_local_stack_class()  # without the user's AWS variables, which moto would read
    with pytest.MonkeyPatch.context() as process_patch:
        shorten_task_timeouts(process_patch, float(sys.argv.pop(1)))
        main()
