"""The parser: its commands, and what it imports to print its help."""

import json
import subprocess
import sys

from local.config import ROOT

from .conftest import Upcall

SLOW_PACKAGES = {"aws_lambda_powertools", "boto3", "flask", "httpx", "moto", "pydantic", "samtranslator"}


def test_the_help_lists_every_command_in_a_whole_line(upcall: Upcall) -> None:
    text = upcall("--help", COLUMNS="80").stdout
    commands = text.partition("Commands:\n")[2].splitlines()

    assert [line.split()[0] for line in commands] == [
        "run", "list", "show", "cancel", "retry", "tools", "tool", "local", "console", "publish", "send-event",
        "trigger", "listen", "doctor", "stop", "resume", "approvals", "quota", "batch", "webhooks", "bench",
    ]  # fmt: skip
    assert not [line for line in commands if line.endswith("...")]


def test_the_parser_imports_nothing_that_is_slow() -> None:
    code = "import json, sys, cli.main; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert SLOW_PACKAGES.isdisjoint(json.loads(done.stdout))


def test_listing_tools_imports_no_aws_and_no_http() -> None:
    code = (
        "import sys, cli.main; sys.argv = ['upcall', 'tools']; cli.main.app(standalone_mode=False); "
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert not {"boto3", "flask", "httpx", "moto", "samtranslator", "trafilatura"} & set(
        done.stderr.replace("'", "").strip("[]\n").split(", ")
    )
