"""What a line of the log says, and what it does not."""

import ast
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.log_capture import written

from local.config import ROOT
from upcall.observability.logging import (
    LEFT_OUT,
    PackageLogHandler,
    about,
    logger,
)

LEVELS = {"debug", "info", "warning", "warn", "error", "critical", "exception", "log"}
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_a_key_that_nobody_has_called_safe_is_left_out() -> None:
    with written() as lines:
        logger.info(
            "something", prompt="hunter2", nested={"deep": ["hunter2"]}, count=7, counts=[1, 2.5], ok=True
        )

    (line,) = lines.parsed
    assert line["prompt"] == line["nested"] == LEFT_OUT
    assert (line["count"], line["counts"], line["ok"]) == (7, [1, 2.5], True)


def test_an_exception_is_told_by_its_kind_and_its_place() -> None:
    with written() as lines:
        try:
            raise ValueError("hunter2")
        except ValueError as error:
            error.add_note("hunter2")
            logger.exception("broken")

    (line,) = lines.parsed
    assert line["exception_name"] == "ValueError"
    assert any("test_log.py" in place for place in line["where"])
    assert "hunter2" not in lines.text


def test_an_exception_is_not_put_into_words_that_nobody_will_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which parses source: beside another thread that does, Python 3.11 may raise SystemError there."""
    parsed: list[object] = []
    with written() as lines:
        try:
            raise ValueError("hunter2")
        except ValueError:
            record = logging.LogRecord("upcall", logging.ERROR, "", 1, "broken", (), sys.exc_info())
            with monkeypatch.context() as patch:
                patch.setattr(ast, "parse", lambda *given, **_: parsed.append(given))
                line = logger.registered_formatter.format(record)

    assert json.loads(line)["exception_name"] == "ValueError"
    assert (parsed, lines.text) == ([], "")


def test_at_the_level_debug_all_of_it_is_there() -> None:
    with written("DEBUG") as lines:
        try:
            raise ValueError("hunter2")
        except ValueError:
            logger.exception("broken", prompt="hunter3")

    (line,) = lines.parsed
    assert "hunter2" in line["exception"]
    assert line["prompt"] == "hunter3"


def test_ids_are_in_the_lines_of_a_thread_and_of_those_that_it_starts_and_in_no_others() -> None:
    from upcall.timeout import within

    with written() as lines:
        other = threading.Thread(target=lambda: logger.info("other"))
        with about(run_id="run_1"):
            other.start()
            other.join()
            within(5, lambda: logger.info("within"))
        logger.info("after")

    told = {line["message"]: line.get("run_id") for line in lines.parsed}
    assert {message: told[message] for message in ("other", "within", "after")} == {
        "other": None,
        "within": "run_1",
        "after": None,
    }


def test_a_packages_warning_is_told_by_who_and_where_with_the_ids_of_the_run() -> None:
    package = logging.getLogger("some.package")
    package.propagate = False  # a laptop cloud in this process would have it told once more
    handler = PackageLogHandler()
    package.addHandler(handler)
    try:
        with written() as lines, about(run_id="run_1"):
            package.warning("cannot read %s", "hunter2")
    finally:
        package.removeHandler(handler)

    (line,) = (each for each in lines.parsed if each.get("package") == "some.package")
    assert (line["package"], line["run_id"], line["level"]) == ("some.package", "run_1", "WARNING")
    assert "hunter2" not in lines.text


LIKE_LAMBDA = """
import logging, os, sys, warnings
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
os.environ |= {"AWS_LAMBDA_RUNTIME_API": "x", "AWS_LAMBDA_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
from upcall.log import logger
logging.getLogger("httpx").info("hunter2")
logging.getLogger("botocore").debug("hunter2")
logging.getLogger("pypdf").warning("a warning")
warnings.warn("another")
logger.debug("ours")
"""


def test_on_lambda_packages_log_through_ours_and_nothing_below_a_warning_at_any_level() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIKE_LAMBDA], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    )

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("package") or line["message"] for line in lines] == ["pypdf", "py.warnings", "ours"]
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_what_a_line_is_about_is_said_in_words_of_the_code(path: Path) -> None:
    """For `message` is not redacted: what is of a request goes under a key."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"), attr=name), args=args):
                if name not in LEVELS:
                    continue
                assert isinstance(args[0], ast.Constant)
                assert len(args) == 1
