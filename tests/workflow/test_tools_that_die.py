"""Tools of one's own that misbehave: a copy of the project gets three more, and a run calls them all."""

import json
from pathlib import Path

import pytest
from support.project_copy import copied_project, upcall_in

from local.config import ROOT
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
    """Take longer than the function may."""
    time.sleep(60)
    return "too late"


lambda_handler = tool(hangs)
'''

DIES = '''
from upcall.tool import tool


def dies() -> str:
    """Take the whole function with it, as running out of memory would."""
    raise KeyboardInterrupt


lambda_handler = tool(dies)
'''

CLUMSY = """
description = "Uses tools that fail."
instructions = "Go on, whatever happens."
tools = ["raises", "hangs", "dies"]
"""

BLOCKS = """
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
    """A copy of the project with three tools more: one file and one template block each."""
    copied_project(tmp_path)
    template = (ROOT / "template.yaml").read_text("utf-8")
    (tmp_path / "template.yaml").write_text(template.replace("\nOutputs:\n", BLOCKS), "utf-8")
    (tmp_path / "src/tools/raises.py").write_text(RAISES, "utf-8")
    (tmp_path / "src/tools/hangs.py").write_text(HANGS, "utf-8")
    (tmp_path / "src/tools/dies.py").write_text(DIES, "utf-8")
    (tmp_path / "src/assistants/clumsy.toml").write_text(CLUMSY, "utf-8")
    return tmp_path


def test_tools_that_raise_hang_and_die_are_outputs_that_the_model_reads(
    project: Path, laptop: LocalStack
) -> None:
    model = laptop.emulator.script(
        CallTools(tuple(Call(name, "{}") for name in ("raises", "hangs", "dies"))), Say("I see.")
    )
    run = upcall_in(
        project, laptop.emulator.base_url, "run", "Go.", "--assistant", "clumsy", "--model", model, "--json"
    )

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["message"] == "I see."
    raised, hung, died = (exchange.output for exchange in laptop.emulator.brain.heard[model][-1].rounds[-1])
    assert json.loads(raised) == {"error": "raises failed for a reason of its own"}
    assert json.loads(hung) == {"error": "hangs was not done after 0.5 seconds"}
    assert "The tool dies gave no answer" in json.loads(died)["error"]
    assert "Whether it had an effect is not known." in json.loads(died)["error"]
    log = (project / ".upcall" / "functions.log").read_text("utf-8")
    assert "RuntimeError" in log, "the operator can read what the model cannot"
    assert "tools/raises.py:7" in log
    assert "hunter2" not in log, "unless he asks for it with the log level"
