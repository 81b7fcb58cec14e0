"""Checks templates with cfn-lint, checkov and cdk-nag: `python checks/template.py TEMPLATE…`.

A finding must be fixed, or be accepted with a reason in `accepted_findings.yaml`. Exits with 1 if a finding
is not accepted, and if an entry of that file matches no finding.

Runs in a separate environment with `checks/requirements.txt`. Without Node.js cdk-nag is skipped.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

ACCEPTED_FINDINGS = Path(__file__).with_name("accepted_findings.yaml")
NAG = Path(__file__).with_name("nag.py")
NAG_RULES = ("AwsSolutions-", "Serverless-", "W2509")
"""Prefixes of the rules that only cdk-nag and the CDK have."""


@dataclass(frozen=True)
class Finding:
    """What a tool reports about a resource."""

    tool: str
    rule: str
    resource: str
    message: str


def main(templates: list[Path]) -> int:
    """Run the tools; print the findings that are not accepted, the unused entries and the counts."""
    accepted = yaml.safe_load(ACCEPTED_FINDINGS.read_text("utf-8"))
    findings = [finding for template in templates for finding in (*cfn_lint(template), *checkov(template))]
    if shutil.which("node"):
        findings += [finding for template in templates for finding in cdk_nag(template)]
    else:
        print("cdk-nag is skipped: there is no Node.js")
        accepted = [entry for entry in accepted if not entry["rule"].startswith(NAG_RULES)]

    not_accepted = [each for each in findings if not any(is_match(entry, each) for entry in accepted)]
    unused = [entry for entry in accepted if not any(is_match(entry, each) for each in findings)]
    for each in not_accepted:
        print(f"not accepted: {each.tool} {each.rule} on {each.resource}: {each.message}")
    for entry in unused:
        print(f"matches no finding: {entry}")
    print(f"{len(findings)} findings, {len(accepted)} entries, {len(not_accepted)} findings not accepted")
    return 1 if not_accepted or unused else 0


def is_match(entry: dict[str, str], finding: Finding) -> bool:
    """Whether an accepted finding, which needs a reason, matches this one."""
    return (
        entry["rule"] == finding.rule
        and bool(entry["reason"])
        and fnmatchcase(finding.resource, entry.get("resource", "*"))
        and fnmatchcase(finding.message, entry.get("finding", "*"))
    )


def cfn_lint(template: Path) -> Iterator[Finding]:
    """Findings of cfn-lint, with its own rules and those for serverless applications."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--append-rules", "cfn_lint_serverless.rules"]
    for each in _run([*command, "--format", "json", str(template)]):
        path = each["Location"].get("Path") or []
        resource = path[1] if len(path) > 1 else _find_logical_id(each["Message"], template)
        yield Finding("cfn-lint", each["Rule"]["Id"], str(resource), each["Message"])


def checkov(template: Path) -> Iterator[Finding]:
    """Findings of checkov's rules for CloudFormation, offline."""
    command = [sys.executable, "-m", "checkov.main", "--framework", "cloudformation", "--skip-download"]
    report = _run([*command, "--quiet", "--output", "json", "--file", str(template)])
    for each in report["results"]["failed_checks"]:
        resource = each["resource"].rpartition(".")[2]
        yield Finding("checkov", each["check_id"], resource, each["check_name"])


def cdk_nag(template: Path) -> Iterator[Finding]:
    """Findings of the rules AWS Solutions and Serverless, and of the CDK itself."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(NAG), str(template), folder], check=True, capture_output=True)  # noqa: S603
        report = json.loads((Path(folder) / "validation-report.json").read_text("utf-8"))
    for plugin in report["pluginReports"]:
        for violation in plugin["violations"]:
            rule, _, detail = violation["ruleName"].partition("[")
            for construct in violation["violatingConstructs"]:
                resource = construct["constructPath"].rpartition("/")[2]
                yield Finding("cdk-nag", rule, resource, detail.removesuffix("]") or violation["description"])


def _run(command: list[str]) -> Any:
    """The JSON that a tool prints. Its exit code only says that it found something."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _find_logical_id(message: str, template: Path) -> str:
    """The resource that a message names, for rules that report no location."""
    resources = yaml.load(template.read_text("utf-8"), _Loader)["Resources"]  # noqa: S506  # a safe loader
    return next((word.strip(".,'") for word in message.split() if word.strip(".,'") in resources), "")


class _Loader(yaml.SafeLoader):
    """Reads YAML and JSON, and leaves out the intrinsic functions of CloudFormation."""


_Loader.add_multi_constructor("!", lambda *_: None)

if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
