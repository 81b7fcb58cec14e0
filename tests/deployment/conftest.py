"""What all tests of a deployment share: one engine, one copy of the project, and one shell."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from deployment.api_proxy import run_proxy
from deployment.callback_receiver import CallbackReceiver
from deployment.deployed import Deployment
from deployment.engine import ENGINE_PYTHON, run_engine
from deployment.operator_shell import RESULTS, OperatorShell, copy_project
from deployment.settings_file import SettingsFile

from cli.build_variables import DEFAULTS, find_interpreter
from local import sample_pages
from local.config import ROOT
from local.http_server import HttpServer
from local.openai_emulator.server import Emulator

PAGES_HOST = "pages.example.com"
CALLBACK_HOST = "callbacks.example.com"

UPCALL = """#!/bin/sh
export HTTPS_PROXY={proxy} PYTHONPATH={project}:{project}/src
exec {python} -m cli.main "$@"
"""

AWS = """#!/bin/sh
# the AWS CLI 1 lacks this command of the AWS CLI 2
if [ "$1 $2" = "configure export-credentials" ]; then
  echo "export AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID"
  echo "export AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY"
  exit
fi
# and sends requests to SQS to AWS, unless the endpoint is an option
exec {bin}/python {bin}/aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"
"""


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An account on the engine without any stack, and a shell in a fresh copy of the project."""
    folder = tmp_path_factory.mktemp("deployment")
    project, path = folder / "upcall", folder / "bin"
    copy_project(project)
    function_python = find_interpreter(DEFAULTS["Runtime"])
    assert function_python, "functions need the Python that their layers are built for"
    with ExitStack() as stack:
        emulator = Emulator(model_seconds=0.4)
        stack.callback(emulator.stop)
        pages = stack.enter_context(HttpServer(sample_pages.create_app()))
        callbacks = CallbackReceiver()
        stack.callback(callbacks.stop)
        hosts = {
            PAGES_HOST: int(pages.host.partition(":")[2]),
            CALLBACK_HOST: callbacks.port,
        }
        engine = stack.enter_context(run_engine(folder, function_python, hosts))
        proxy = stack.enter_context(run_proxy(engine.port))
        write_script(path / "aws", AWS.format(bin=ENGINE_PYTHON.parent))
        (folder / ".curlrc").write_text(
            f'cacert = "{engine.authorities}"\nconnect-to = "::127.0.0.1:{engine.port}"\n', "utf-8"
        )
        write_script(
            project / ".venv" / "bin" / "upcall",
            UPCALL.format(proxy=proxy, project=project, python=sys.executable),
        )
        (project / ".venv" / "installed").touch()
        (project / ".venv-sam").symlink_to(ROOT / ".venv-sam")
        shell = OperatorShell(
            project,
            {
                **{name: os.environ[name] for name in os.environ if not name.startswith("AWS_")},
                **engine.environment,
                "PATH": f"{path}:{os.environ['PATH']}",
                "CURL_HOME": str(folder),
            },
        )
        stack.callback(shell.close)
        settings = SettingsFile(project / "samconfig.toml", emulator.base_url)
        yield Deployment(engine, emulator, callbacks, shell, settings)


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each command that ran, with its exit code and its seconds."""
    terminalreporter.section("commands")
    for result in RESULTS:
        first, *rest = result.command.splitlines()
        terminalreporter.line(f"{result.code:3} {result.seconds:5.0f} s  {first}{' …' if rest else ''}"[:180])
