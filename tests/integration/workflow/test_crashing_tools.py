"""Tools that raise, hang or kill their process: three are added to a copy of the project, and a run calls them."""

import json
from pathlib import Path

import pytest
from support.project_copy import copy_project, run_upcall

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack

RAISES = '''
from upcall.tool import tool


def raises() -> str:
    """Fail for a reason that the model must not read."""
    raise RuntimeError("the password is hunter2")


lambda_handler = tool(raises)
'''

HANGS = '''
import time

from upcall.tool import tool


def hangs() -> str:
    """Take longer than the function's time-out."""
    time.sleep(60)
    return "too late"


lambda_handler = tool(hangs)
'''

DIES = '''
from upcall.tool import tool


def dies() -> str:
    """End the whole process, as running out of memory would."""
    raise KeyboardInterrupt


lambda_handler = tool(dies)
'''

ASSISTANT = """
description = "Uses tools that fail."
instructions = "Continue in any case."
tools = ["raises", "hangs", "dies"]
"""

FUNCTIONS = """
  RaisesFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-tool-raises"
      Handler: tools.raises.lambda_handler

  HangsFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-tool-hangs"
      Handler: tools.hangs.lambda_handler
      Timeout: 1

  DiesFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-tool-dies"
      Handler: tools.dies.lambda_handler

Outputs:
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with three more tools, and an assistant that uses them."""
    copy_project(tmp_path)
    template = tmp_path / "template.yaml"
    template.write_text(template.read_text("utf-8").replace("\nOutputs:\n", FUNCTIONS), "utf-8")
    for name, code in {"raises": RAISES, "hangs": HANGS, "dies": DIES}.items():
        (tmp_path / f"src/tools/{name}.py").write_text(code, "utf-8")
    (tmp_path / "src/assistants/crashing.toml").write_text(ASSISTANT, "utf-8")
    return tmp_path


def test_the_model_reads_that_a_tool_has_crashed(project: Path, local_stack: LocalStack) -> None:
    calls = CallTools(tuple(Call(name, "{}") for name in ("raises", "hangs", "dies")))
    model = local_stack.emulator.script(calls, Say("I see."))
    arguments = ("run", "Go.", "--assistant", "crashing", "--model", model, "--json")
    finished = run_upcall(project, *arguments, OPENAI_BASE_URL=local_stack.emulator.base_url)

    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["message"] == "I see."
    last_round = local_stack.emulator.models.conversations[model][-1].rounds[-1]
    raised, hung, died = (json.loads(exchange.output) for exchange in last_round)
    assert raised == {"error": "raises failed for a reason of its own"}
    assert hung == {"error": "hangs was not done after 0.5 seconds"}
    assert "The tool dies did not answer" in died["error"]
    assert "Whether it had an effect is not known." in died["error"]
    log = (project / ".upcall" / "functions.log").read_text("utf-8")
    assert "RuntimeError" in log, "the operator can read what the model cannot"
    assert "tools/raises.py:7" in log
    assert "hunter2" not in log, "the log level is not DEBUG"
