"""Tools of one's own that misbehave: a copy of the project gets two more, and a run calls them both."""

import json
from pathlib import Path

import pytest
from support.projects import copied_project, upcall_in

from local.cloud import LaptopCloud
from local.emulator import Call, CallTools, Say
from local.profile import ROOT

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

CLUMSY = """
description = "Uses tools that fail."
instructions = "Go on, whatever happens."
tools = ["raises", "hangs"]
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

Outputs:
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with two tools more: one file and one template block each."""
    copied_project(tmp_path)
    template = (ROOT / "template.yaml").read_text("utf-8")
    (tmp_path / "template.yaml").write_text(template.replace("\nOutputs:\n", BLOCKS), "utf-8")
    (tmp_path / "src/tools/raises.py").write_text(RAISES, "utf-8")
    (tmp_path / "src/tools/hangs.py").write_text(HANGS, "utf-8")
    (tmp_path / "src/assistants/clumsy.toml").write_text(CLUMSY, "utf-8")
    return tmp_path


def test_a_tool_that_raises_and_one_that_hangs_are_outputs_that_the_model_reads(
    project: Path, laptop: LaptopCloud
) -> None:
    model = laptop.emulator.script(CallTools((Call("raises", "{}"), Call("hangs", "{}"))), Say("I see."))
    run = upcall_in(
        project, laptop.emulator.base_url, "run", "Go.", "--assistant", "clumsy", "--model", model, "--json"
    )

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["message"] == "I see."
    raised, hung = (exchange.output for exchange in laptop.emulator.brain.heard[model][-1].rounds[-1])
    assert json.loads(raised) == {"error": "raises failed for a reason of its own"}
    assert json.loads(hung) == {"error": "The tool hangs gave no answer (Sandbox.Timedout)."}
    log = (project / ".upcall" / "functions.log").read_text("utf-8")
    assert "hunter2" in log, "the operator can read what the model cannot"
