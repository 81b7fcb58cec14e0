"""The program in `docs/your-own-tools.md` prints what the document shows."""

import re

import pytest
from support.console_walk import API

from local.config import ROOT
from local.stack import LocalStack


def test_the_program_of_the_document_prints_what_it_shows(
    local_stack: LocalStack, capsys: pytest.CaptureFixture[str]
) -> None:
    document = (ROOT / "docs" / "your-own-tools.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```\n\n```console\n(.*?)```", document, re.DOTALL)
    assert found
    exec(found[1].replace(API, local_stack.endpoints.api), {})  # noqa: S102  # our own document

    assert capsys.readouterr().out == found[2]
