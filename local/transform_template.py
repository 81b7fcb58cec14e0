"""The SAM transformation of `template.yaml`, with a cache.

`python -m local.transform_template FILE` writes the transformed template into a file.
"""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import intrinsics_multi_constructor

from local.atomic_write import write_atomically
from local.config import AWS_ENVIRONMENT, ROOT, STATE_FOLDER, aws_environment

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

CODE_BUCKET = "upcall-code"
CACHE_FILE = STATE_FOLDER / "template.json"


@dataclass(frozen=True)
class TransformedTemplate:
    """`template.yaml` before (`source`) and after the transformation.

    `definitions` are the texts of the state machines' definitions, by logical ids; `definition_uris` are
    their files.
    """

    definition_uris: dict[str, str]
    definitions: dict[str, str]
    source: dict[str, Any]
    transformed: dict[str, Any]


def transform_template(root: Path = ROOT, cache_file: Path = CACHE_FILE) -> TransformedTemplate:
    """The template in this folder.

    It is transformed anew if anything that the result depends on has changed.
    """
    template = (root / "template.yaml").read_text("utf-8")
    cached = _read_cache(root, template, cache_file)
    if cached is not None:
        return cached
    made = _transform(root, template)
    entry = {"key": _cache_key(template, made.definitions), **asdict(made)}
    content = json.dumps(entry)
    if json.loads(content) == entry:  # YAML has types that JSON lacks: dates, keys that are numbers
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache_file, content.encode())
    return made


def parse_yaml(text: str) -> Any:
    """The content of a YAML file with CloudFormation's short forms (`!Ref`, `!Sub`)."""
    return yaml.load(text, _CloudFormationLoader)  # noqa: S506  # it is a safe loader


class _CloudFormationLoader(_SafeLoader):
    """libyaml's loader, which is ten times as fast as the one in Python."""


_CloudFormationLoader.add_multi_constructor("!", intrinsics_multi_constructor)


def _read_cache(root: Path, template: str, cache_file: Path) -> TransformedTemplate | None:
    try:
        entry = json.loads(cache_file.read_text("utf-8"))
        key = entry.pop("key")
        cached = TransformedTemplate(**entry)
        definitions = _read_definitions(root, cached.definition_uris)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # there is none, or one of another version
    return cached if key == _cache_key(template, definitions) else None


def _read_definitions(root: Path, uris: dict[str, str]) -> dict[str, str]:
    return {name: (root / uri).read_text("utf-8") for name, uri in uris.items()}


def _cache_key(template: str, definitions: dict[str, str]) -> str:
    """A digest of everything that the transformation depends on."""
    code = Path(__file__).read_text("utf-8")
    texts = json.dumps(definitions, sort_keys=True)
    parts = (template, texts, code, version("aws-sam-translator"), version("pyyaml"), sys.version)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _transform(root: Path, template: str) -> TransformedTemplate:
    from samtranslator.metrics.method_decorator import MetricsMethodWrapperSingleton
    from samtranslator.translator.transform import transform

    source = parse_yaml(template)
    packaged = parse_yaml(template)
    definition_uris = {
        name: packaged["Resources"][name]["Properties"]["DefinitionUri"]
        for name in _of_type(packaged, "AWS::Serverless::StateMachine")
    }
    definitions = _read_definitions(root, definition_uris)
    _package(packaged, definitions)
    with aws_environment(AWS_ENVIRONMENT):  # the translator requires a region
        transformed = transform(packaged, {}, _NoManagedPolicies())
    MetricsMethodWrapperSingleton.get_instance().publish()  # otherwise it prints a warning at exit
    return TransformedTemplate(definition_uris, definitions, source, transformed)


def _package(template: dict[str, Any], definitions: dict[str, str]) -> None:
    """Change a template as `sam package` does: code is in a bucket, definitions are in the template."""
    template["Globals"]["Function"]["CodeUri"] = f"s3://{CODE_BUCKET}/code.zip"
    for name in _of_type(template, "AWS::Serverless::LayerVersion"):
        template["Resources"][name]["Properties"]["ContentUri"] = f"s3://{CODE_BUCKET}/layer.zip"
    for machine, definition in definitions.items():
        properties = template["Resources"][machine]["Properties"]
        del properties["DefinitionUri"]
        properties["Definition"] = parse_yaml(definition)


def _of_type(template: dict[str, Any], resource_type: str) -> list[str]:
    return [name for name, each in template["Resources"].items() if each["Type"] == resource_type]


class _NoManagedPolicies:
    """The translator looks up managed policies of the account by name. The template names none."""

    def load(self) -> dict[str, str]:
        return {}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(transform_template().transformed, indent=1) + "\n", "utf-8")
