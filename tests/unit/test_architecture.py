"""Imports go in one direction, each external package has one owner, and each thing has one name."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support.sample_events import sample_event_files
from support.templates import FUNCTIONS, HANDLERS, function_id
from support.workflow_definition import ALL_LAMBDAS

from local.config import ROOT

SRC = ROOT / "src"

MAY_IMPORT = {
    "handlers": {"tools", "upcall"},
    "tools": {
        "tools",
        "upcall.aws",
        "upcall.config",
        "upcall.documents",
        "upcall.domain",
        "upcall.tool",
        "upcall.web",
    },
    "upcall.use_cases": {
        "upcall.use_cases",
        "upcall.domain",
        "upcall.observability",
        "upcall.run_apis.base",
        "upcall.threads",
    },
    "upcall.threads": set(),
    "upcall.domain": {"upcall.domain"},
    "upcall.run_apis": {
        "upcall.run_apis",
        "upcall.aws.secrets_manager",
        "upcall.config",
        "upcall.domain",
        "upcall.observability",
        "upcall.timeout",
    },
    "upcall.aws": {"upcall.aws", "upcall.config", "upcall.domain", "upcall.observability"},
    "upcall.lambda_runtime": {
        "upcall.lambda_runtime",
        "upcall.config",
        "upcall.domain",
        "upcall.observability",
    },
    "upcall.tool": {
        "upcall.tool",
        "upcall.config",
        "upcall.domain",
        "upcall.observability",
        "upcall.timeout",
    },
    "upcall.client": {
        "upcall.client",
        "upcall.domain",
        "upcall.tool.event",
        "upcall.tool.typed_function",
    },
    "upcall.web": {
        "upcall.web",
        "upcall.config",
        "upcall.documents",
        "upcall.domain",
        "upcall.timeout",
    },
    "upcall.documents": {"upcall.config", "upcall.documents", "upcall.domain"},
    "upcall.observability": {"upcall.observability", "upcall.config", "upcall.domain"},
    "upcall.config": {"upcall.domain"},
    "upcall.timeout": set(),
    "local": {"local", "handlers", "upcall"},
    "cli": {"cli", "local", "tools", "upcall"},
}
"""Which of our packages and modules each package may import. What it names includes what is inside of it."""

OURS = {"handlers", "tools", "upcall", "local", "cli"}

OWNERS = {
    "openai": {"run_apis/openai_sdk.py"},
    "httpx2": {"run_apis/client.py", "run_apis/bounded_client.py"},
    "boto3": {
        "aws/dynamodb.py",
        "aws/eventbridge.py",
        "aws/s3.py",
        "aws/secrets_manager.py",
        "aws/sqs.py",
        "aws/step_functions.py",
    },
    "botocore": {
        "aws/eventbridge.py",
        "aws/rate_limit_repository.py",
        "aws/s3.py",
        "aws/step_functions.py",
        "client/auth.py",
    },
    "httpcore": {"web/transport.py", "web/download.py", "web/page_response.py"},
    "httpx": {
        "client/auth.py",
        "client/batch_results.py",
        "client/client.py",
        "client/http_api.py",
        "web/cookies.py",
        "web/download.py",
        "web/http_status.py",
        "web/otlp.py",
        "web/page_response.py",
        "web/standard_webhooks.py",
        "web/transport.py",
        "web/urls.py",
    },
    "trafilatura": {"documents/html.py"},
    "lxml": {"documents/docx.py", "documents/html.py", "documents/html_stream.py", "documents/outline.py"},
    "pypdf": {"documents/pdf.py"},
    "python_calamine": {"documents/spreadsheet.py"},
    "xtractmime": {"documents/media_type.py"},
    "brotli": {"documents/content_encoding.py"},
    "os": {"config.py"},
}
"""The modules of `src/upcall` that may import an external package. No other module of `src` may."""

DOMAIN_MAY_IMPORT = {
    "ast",
    "collections",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "email",
    "enum",
    "functools",
    "hashlib",
    "io",
    "itertools",
    "json",
    "math",
    "operator",
    "pathlib",
    "pydantic",
    "random",
    "re",
    "secrets",
    "tomllib",
    "typing",
    "typing_extensions",
}

CLOCK_METHODS = {"now", "utcnow", "today", "monotonic", "sleep"}

MAX_HANDLER_LINES = 100

WITHOUT_USE_CASE = {"describe_api", "list_assistants", "list_tools"}
"""Handlers that return static data of the deployment."""

SHARED_BY_USE_CASES = {
    "answer_call",
    "end_batch_line",
    "end_run",
    "interfaces",
    "record_text",
    "turn_pacing",
    "upstream_request",
}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in _files_of(package)
        for module in _imports(path)
        if module.partition(".")[0] in OURS and not _is_part_of(module, MAY_IMPORT[package])
    }

    assert not wrong


def test_every_module_is_in_a_package_of_the_table() -> None:
    in_table = {path for package in MAY_IMPORT for path in _files_of(package)}
    all_files = {path for folder in (SRC, ROOT / "local", ROOT / "cli") for path in folder.rglob("*.py")}

    assert all_files - in_table == {SRC / "upcall" / "__init__.py"}
    assert _imports(SRC / "upcall" / "__init__.py") == set()


def test_no_modules_import_each_other() -> None:
    """Also not through others, and not by imports that wait until a function is called."""
    files = {_module_name(path): path for package in OURS for path in _files_of(package)}
    graph = {name: _imports(path) & files.keys() - {name} for name, path in files.items()}

    assert len(graph) > 150
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def test_only_the_openai_client_reads_secrets_among_the_run_apis() -> None:
    readers = {
        path.name
        for path in _files_of("upcall.run_apis")
        if any(_is_part_of(module, {"upcall.aws"}) for module in _imports(path))
    }

    assert readers == {"client.py"}


def test_only_the_package_of_run_apis_knows_which_there_are() -> None:
    protocols = {"responses", "assistants", "agents"}
    modules = {f"upcall.run_apis.{name}" for name in protocols}
    for path in SRC.rglob("*.py"):
        if path.parent != SRC / "upcall" / "run_apis":
            assert not _imports(path) & modules, path


@pytest.mark.parametrize("package", OWNERS)
def test_an_external_package_is_imported_by_its_owners_alone(package: str) -> None:
    importers = {
        str(path.relative_to(SRC / "upcall")) if path.is_relative_to(SRC / "upcall") else str(path)
        for path in SRC.rglob("*.py")
        if package in {module.partition(".")[0] for module in _imports(path)}
    }

    assert importers == OWNERS[package]


def test_the_domain_imports_no_aws_no_openai_no_environment_and_no_clock() -> None:
    external = {
        module.partition(".")[0]
        for path in _files_of("upcall.domain")
        for module in _imports(path)
        if module.partition(".")[0] not in OURS
    }

    assert external <= DOMAIN_MAY_IMPORT


@pytest.mark.parametrize("package", ["upcall.domain", "upcall.use_cases"])
def test_the_time_is_a_parameter(package: str) -> None:
    for path in _files_of(package):
        for node in ast.walk(_parse(path)):
            match node:
                case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in CLOCK_METHODS:
                    assert isinstance(owner, ast.Name), f"{path}:{node.lineno}"
                    assert owner.id == "clock", f"{path}:{node.lineno}"
        assert "time" not in _imports(path), path


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_is_short_and_imports_no_vendor(name: str) -> None:
    path = SRC / "handlers" / f"{name}.py"

    assert len(path.read_text("utf-8").splitlines()) <= MAX_HANDLER_LINES
    imported = {module.partition(".")[0] for module in _imports(path)}
    assert not imported & {"boto3", "botocore", "openai", "httpx", "httpx2"}


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_its_function_and_its_sample_event_have_one_name(name: str) -> None:
    assert FUNCTIONS[function_id(name)]["Handler"] == f"handlers.{name}.lambda_handler"
    assert name in {path.stem for path in sample_event_files()}


@pytest.mark.parametrize("name", sorted(set(HANDLERS) - WITHOUT_USE_CASE))
def test_a_handler_calls_the_use_case_of_its_name(name: str) -> None:
    assert f"upcall.use_cases.{name}" in _imports(SRC / "handlers" / f"{name}.py")
    functions = {
        node.name
        for node in _parse(SRC / "upcall" / "use_cases" / f"{name}.py").body
        if isinstance(node, ast.FunctionDef)
    }
    assert name in functions


@pytest.mark.parametrize("name", sorted(WITHOUT_USE_CASE))
def test_a_handler_of_static_data_calls_no_use_case(name: str) -> None:
    imported = _imports(SRC / "handlers" / f"{name}.py")

    assert not any(_is_part_of(module, {"upcall.use_cases", "upcall.aws"}) for module in imported)


def test_there_is_no_use_case_without_a_handler() -> None:
    modules = {path.stem for path in (SRC / "upcall" / "use_cases").glob("[!_]*.py")}

    assert modules - SHARED_BY_USE_CASES == set(HANDLERS) - WITHOUT_USE_CASE


def test_a_state_that_invokes_a_handler_has_its_name() -> None:
    invoked = {name: state["Arguments"]["FunctionName"] for name, state in ALL_LAMBDAS if name != "Call tool"}

    assert len(invoked) == 11
    for state_name, substitution in invoked.items():
        name = state_name.lower().replace(" ", "_")
        assert name in HANDLERS
        assert substitution == f"{function_id(name)}Arn"


def _files_of(package: str) -> Iterator[Path]:
    """The files of a package or a module, by its dotted name."""
    folder = SRC if package.partition(".")[0] in ("handlers", "tools", "upcall") else ROOT
    path = folder / package.replace(".", "/")
    return path.rglob("*.py") if path.is_dir() else iter([path.with_suffix(".py")])


def _module_name(path: Path) -> str:
    folder = SRC if path.is_relative_to(SRC) else ROOT
    return ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


def _is_part_of(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@cache
def _imports(path: Path) -> frozenset[str]:
    """The dotted names of the modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {_module(str(node.module), alias.name) for alias in node.names}
    return frozenset(found)


def _module(module: str, name: str) -> str:
    """What `from module import name` imports: the submodule of that name if there is one, else the module."""
    return f"{module}.{name}" if any(path.exists() for path in _files_of(f"{module}.{name}")) else module


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))
