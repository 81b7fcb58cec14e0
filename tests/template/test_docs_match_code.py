"""Names, numbers and links in the documents match the code."""

import re
from pathlib import Path

import pytest
import typer

from cli.main import app
from local.config import ROOT
from local.template import Template
from upcall.documents.extraction import MAX_SECONDS
from upcall.documents.extraction_worker import MAX_MEMORY_BYTES
from upcall.domain.events import RunEndedEvent
from upcall.domain.limits import MAX_CALLS, Limits, LimitsRequest
from upcall.domain.run_request import RunRequest
from upcall.observability.logging import SAFE_KEYS

DOCUMENTS = {
    path.name: path.read_text("utf-8")
    for path in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
}
CURRENT = {name: text for name, text in DOCUMENTS.items() if name != "CHANGELOG.md"}
"""The changelog also has names of the past."""

SOURCE = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
OPERATING = DOCUMENTS["operating.md"]
ROOTS = ("src", "local", "cli", "tests", "events", "docs", "layers", "checks", "statemachine")


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _in_backticks(text: str) -> list[str]:
    without_blocks = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", without_blocks)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files_and_headings_that_exist(name: str) -> None:
    folder = ROOT if name in ("CHANGELOG.md", "CONTRIBUTING.md") else ROOT / "docs"
    for file, anchor in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", DOCUMENTS[name]):
        target = folder / file if file else folder / name
        assert target.exists(), file
        assert not anchor or anchor in _anchors(target.read_text("utf-8")), f"{file}#{anchor}"


@pytest.mark.parametrize("name", CURRENT)
def test_named_files_exist(name: str) -> None:
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for text in _in_backticks(CURRENT[name]):
        if re.fullmatch(r"test_\w+\.py", text):
            assert text in tests
        elif re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", text) and text.partition("/")[0] in ROOTS:
            assert (ROOT / text).exists() or text in DOCUMENTS["adding-a-tool.md"], text


def test_security_names_files_of_the_library_and_of_the_tests() -> None:
    bases = (ROOT / "src" / "upcall", ROOT / "src", ROOT)
    for text in _in_backticks(DOCUMENTS["security.md"]):
        if re.fullmatch(r"[a-z_]+/[a-z_]*(\.py)?", text):
            assert any((base / text).exists() for base in bases), text


@pytest.mark.parametrize("name", CURRENT)
def test_named_commands_exist(name: str) -> None:
    commands = set(typer.main.get_group(app).commands)
    for command in re.findall(r"(?:[`/]|\$ )upcall ([a-z][a-z-]+)", CURRENT[name]):
        assert command in commands
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"[`$] ?make ([a-z][a-z-]+)", CURRENT[name]):
        assert f"\n{target}:" in makefile


def test_the_messages_that_operating_tells_to_look_for_are_logged() -> None:
    messages = {
        text for text in _in_backticks(OPERATING) if re.fullmatch("(?!sam|aws|upcall)[a-z]+( [a-z]+)+", text)
    }
    messages |= set(re.findall(r'message = "([^"]+)"', OPERATING))
    assert len(messages) >= 6
    assert not {message for message in messages if f'"{message}"' not in SOURCE}


def test_the_queries_in_operating_use_fields_that_log_lines_have() -> None:
    access_log = str(Template(ROOT).source["Resources"]["HttpApi"]["Properties"]["AccessLogSettings"])
    for line in re.findall(r"^fields (.+)$", OPERATING, re.MULTILINE):
        fields = {field.strip().partition(".")[0] for field in line.partition("|")[0].split(",")}
        own = fields - {"@timestamp", "errorType", "errorMessage"}
        known = {field for field in own if f'"{field}":' in access_log}
        assert own <= known or own <= SAFE_KEYS | {"duration_ms"}


def test_the_number_of_alarms_and_of_their_metrics_is_right() -> None:
    alarms = re.findall(
        r"^  \w+Alarm:\n(?:    .*\n|\n)+", (ROOT / "monitoring.yaml").read_text("utf-8"), re.MULTILINE
    )
    metrics = sum(max(len(re.findall("MetricStat:", alarm)), 1) for alarm in alarms)
    assert len(alarms) == 13
    assert "Thirteen alarms notify" in OPERATING
    assert f"thirteen alarms on {metrics} metrics: {0.1 * metrics:.2f} dollars" in OPERATING


def test_the_table_of_limits_is_that_of_the_code() -> None:
    properties = LimitsRequest.model_json_schema()["properties"]
    rows = re.findall(
        r"^\| `(\w+)`[^|]* \| ([\d,]+) \| ([\d,]+) \| (?:`limit_\1`|none: .+) \|$",
        DOCUMENTS["runs.md"],
        re.MULTILINE,
    )
    assert [name for name, _, _ in rows] == [
        "rounds",
        "calls_per_round",
        "seconds",
        "answer_seconds",
        "tokens",
    ]
    for name, default, maximum in rows:
        assert int(default.replace(",", "")) == getattr(Limits(), name)
        assert int(maximum.replace(",", "")) == properties[name]["anyOf"][0]["maximum"]
    assert f"| calls of all rounds | {MAX_CALLS} | {MAX_CALLS} | `limit_calls` |" in DOCUMENTS["runs.md"]


def test_the_limits_of_a_document_are_those_of_the_code() -> None:
    limits = f"at most {MAX_MEMORY_BYTES // 1_000_000} MB of data and {MAX_SECONDS:.0f} seconds"
    assert limits in DOCUMENTS["benchmarks.md"]


def test_the_steps_in_the_documents_are_states_of_the_workflow() -> None:
    definition = (ROOT / "statemachine" / "run.asl.yaml").read_text("utf-8")
    steps = re.findall(r"^\| ([A-Z][a-z]+ [a-z ]+) \|", DOCUMENTS["runs.md"], re.MULTILINE)
    assert len(steps) == 8
    assert all(re.search(rf"^ +{step}:$", definition, re.MULTILINE) for step in steps)


@pytest.mark.parametrize(
    ("document", "fields"), [("api.md", RunRequest.model_fields), ("events.md", RunEndedEvent.model_fields)]
)
def test_every_field_is_described(document: str, fields: dict[str, object]) -> None:
    assert set(fields) <= set(_in_backticks(DOCUMENTS[document]))


@pytest.mark.parametrize(
    "file", ["requirements-dev.in", "layers/runtime/requirements.in", "layers/extraction/requirements.in"]
)
def test_every_dependency_has_its_line(file: str) -> None:
    packages = re.findall(r"^([\w.-]+)", Path(ROOT / file).read_text("utf-8"), re.MULTILINE)
    table = DOCUMENTS["decisions.md"].partition("## Dependencies")[2]
    assert not {package for package in packages if package != "-r" and package not in table}
