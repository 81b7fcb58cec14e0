"""The cache of the SAM transformation never returns a stale result."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from local import transform_template as module
from local.config import ROOT
from local.transform_template import CACHE_FILE, TransformedTemplate, parse_yaml, transform_template

TEMPLATE = """
Resources:
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties: { DefinitionUri: workflow.yaml }
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(TEMPLATE, "utf-8")
    (tmp_path / "workflow.yaml").write_text("StartAt: A", "utf-8")
    return tmp_path


@pytest.fixture
def transformations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates that were transformed. The transformation itself is replaced, because it takes a second."""
    templates: list[str] = []

    def transform(root: Path, template: str) -> TransformedTemplate:
        templates.append(template)
        definition = (root / "workflow.yaml").read_text("utf-8")
        return TransformedTemplate(
            {"Machine": "workflow.yaml"},
            {"Machine": definition},
            parse_yaml(template),
            {"number": len(templates)},
        )

    monkeypatch.setattr(module, "_transform", transform)
    return templates


def test_a_template_is_transformed_once(root: Path, transformations: list[str]) -> None:
    first = transform_template(root, root / "cache.json")
    second = transform_template(root, root / "cache.json")

    assert first == second
    assert transformations == [TEMPLATE]


@pytest.mark.parametrize("changed", ["template.yaml", "workflow.yaml"])
def test_a_changed_file_is_transformed_again(root: Path, transformations: list[str], changed: str) -> None:
    transform_template(root, root / "cache.json")
    text = (root / changed).read_text("utf-8") + "\n# changed"
    (root / changed).write_text(text, "utf-8")
    later = transform_template(root, root / "cache.json")

    assert len(transformations) == 2
    assert later.transformed == {"number": 2}
    assert text in (later.definitions["Machine"], transformations[1])


@pytest.mark.parametrize("package", ["aws-sam-translator", "pyyaml"])
def test_another_version_of_a_library_transforms_again(
    root: Path, transformations: list[str], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform_template(root, root / "cache.json")
    monkeypatch.setattr(module, "version", lambda name: "0" if name == package else version(name))
    transform_template(root, root / "cache.json")

    assert len(transformations) == 2


def test_another_version_of_python_transforms_again(
    root: Path, transformations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    transform_template(root, root / "cache.json")
    monkeypatch.setattr("sys.version", "4.0")
    transform_template(root, root / "cache.json")

    assert len(transformations) == 2


@pytest.mark.parametrize("content", ["", "not JSON", "[]", "{}", '{"key": "x"}', '{"key": "x", "other": 1}'])
def test_a_cache_that_cannot_be_read_is_replaced(
    root: Path, transformations: list[str], content: str
) -> None:
    (root / "cache.json").write_text(content, "utf-8")
    transform_template(root, root / "cache.json")
    transform_template(root, root / "cache.json")

    assert transformations == [TEMPLATE]


def test_a_template_that_json_would_change_is_not_cached(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_number_as_key: dict[Any, Any] = {"Mappings": {1: "one"}}
    made = TransformedTemplate({"A": "workflow.yaml"}, {"A": "StartAt: A"}, with_number_as_key, {})
    monkeypatch.setattr(module, "_transform", lambda *_: made)

    assert transform_template(root, root / "cache.json") == made
    assert not (root / "cache.json").exists()


def test_the_projects_template_is_cached_without_a_change(tmp_path: Path) -> None:
    made = transform_template(ROOT, tmp_path / "cache.json")
    transform_template(ROOT, CACHE_FILE)

    assert transform_template(ROOT, tmp_path / "cache.json") == made
    assert json.loads((tmp_path / "cache.json").read_text("utf-8"))["transformed"] == made.transformed


def test_yaml_has_the_short_forms_of_cloudformation() -> None:
    assert parse_yaml("a: !Ref b\nc: !GetAtt d.e.f\ng: !Sub '${h}'\ni: !If [j, !Ref k, 1]\n") == {
        "a": {"Ref": "b"},
        "c": {"Fn::GetAtt": ["d", "e.f"]},
        "g": {"Fn::Sub": "${h}"},
        "i": {"Fn::If": ["j", {"Ref": "k"}, 1]},
    }
