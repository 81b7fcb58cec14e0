"""What a handler loads before its first event; how long that takes is for `make bench`."""

import subprocess
import sys

import pytest

from local.profile import ROOT

HANDLERS = sorted(path.stem for path in (ROOT / "src" / "handlers").glob("[!_]*.py"))
WITHOUT_OPENAI = ("get_run", "start_run")


def loaded(handler: str) -> set[str]:
    code = f"import handlers.{handler}, sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_loads_no_typed_resources_no_other_client_and_no_tool(handler: str) -> None:
    modules = loaded(handler)

    assert not {name for name in modules if name.startswith("openai.resources.")}
    assert not modules & {"boto3", "trafilatura", "lxml", "tools.fetch"}
    assert ("openai" in modules) == (handler not in WITHOUT_OPENAI)
