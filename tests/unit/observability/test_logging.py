"""The fields of a log line, and the values that are redacted."""

import ast
import json
import logging
import sys
import threading
from pathlib import Path

import pytest
from support.log_capture import capture_logs

from local.config import ROOT
from upcall.observability.logging import REDACTED, PackageLogHandler, log_context, logger
from upcall.timeout import run_with_timeout

LOG_METHODS = {"debug", "info", "warning", "warn", "error", "critical", "exception", "log"}
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_a_value_is_redacted_unless_it_is_a_number_or_its_key_is_safe() -> None:
    with capture_logs() as lines:
        logger.info(
            "something",
            prompt="hunter2",
            nested={"deep": ["hunter2"]},
            count=7,
            counts=[1, 2.5],
            ok=True,
            run_id="run_1",
        )

    (line,) = lines.parsed
    assert line["prompt"] == line["nested"] == REDACTED
    assert (line["count"], line["counts"], line["ok"], line["run_id"]) == (7, [1, 2.5], True, "run_1")


def test_an_exception_is_logged_by_its_class_and_its_code_locations() -> None:
    with capture_logs() as lines:
        try:
            raise ValueError("hunter2")
        except ValueError as error:
            error.add_note("hunter2")
            logger.exception("broken")

    (line,) = lines.parsed
    assert line["exception_name"] == "ValueError"
    assert any("test_logging.py" in location for location in line["code_locations"])
    assert "hunter2" not in lines.text


def test_an_exception_that_is_not_logged_in_full_is_not_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Formatting parses source code, and Python 3.11 may raise SystemError if another thread parses, too."""
    parsed: list[object] = []
    with capture_logs() as lines:
        try:
            raise ValueError("hunter2")
        except ValueError:
            record = logging.LogRecord("upcall", logging.ERROR, "", 1, "broken", (), sys.exc_info())
            with monkeypatch.context() as patch:
                patch.setattr(ast, "parse", lambda *given, **_: parsed.append(given))
                line = logger.registered_formatter.format(record)

    assert json.loads(line)["exception_name"] == "ValueError"
    assert (parsed, lines.text) == ([], "")


def test_everything_is_logged_at_the_level_debug() -> None:
    with capture_logs("DEBUG") as lines:
        try:
            raise ValueError("hunter2")
        except ValueError:
            logger.exception("broken", prompt="hunter3")

    (line,) = lines.parsed
    assert "hunter2" in line["exception"]
    assert line["prompt"] == "hunter3"


def test_the_log_context_holds_for_the_thread_and_for_those_that_it_starts_and_for_no_other() -> None:
    with capture_logs() as lines:
        other = threading.Thread(target=lambda: logger.info("other"))
        with log_context(run_id="run_1"):
            other.start()
            other.join()
            run_with_timeout(5, lambda: logger.info("within"))
        logger.info("after")

    run_ids = {line["message"]: line.get("run_id") for line in lines.parsed}
    assert {message: run_ids[message] for message in ("other", "within", "after")} == {
        "other": None,
        "within": "run_1",
        "after": None,
    }


def test_a_warning_of_a_package_is_logged_by_its_name_with_the_run_id_and_without_its_message() -> None:
    package = logging.getLogger("some.package")
    package.propagate = False  # in a process with a local stack, it would be logged twice
    handler = PackageLogHandler()
    package.addHandler(handler)
    try:
        with capture_logs() as lines, log_context(run_id="run_1"):
            package.warning("cannot read %s", "hunter2")
    finally:
        package.removeHandler(handler)

    (line,) = (each for each in lines.parsed if each.get("package") == "some.package")
    assert (line["package"], line["run_id"], line["level"]) == ("some.package", "run_1", "WARNING")
    assert "test_logging.py" in line["code_locations"][0]
    assert "hunter2" not in lines.text


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_every_log_message_is_a_constant(path: Path) -> None:
    """`message` is not redacted, so values of a request go under keys."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"), attr=name), args=args):
                if name not in LOG_METHODS:
                    continue
                assert isinstance(args[0], ast.Constant)
                assert len(args) == 1
