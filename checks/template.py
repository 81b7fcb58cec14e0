"""Checks the transformed template with cfn-lint, checkov and cdk-nag: `python checks/template.py TEMPLATE`.

What they find must be fixed, or explained in the template, under `Metadata` → `Upcall::Explained`: a rule,
the `resource` it is found on (a pattern of logical ids), a pattern of its `finding` where a rule has several,
and the reason. Exits with 1 if a finding is not explained, and if an explanation explains nothing.

Runs in an environment of its own, `checks/requirements.txt`. cdk-nag needs Node.js; where there is none it is
left out, and that is said.
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

NAG = Path(__file__).with_name("nag.py")
NAG_RULES = ("AwsSolutions-", "Serverless-", "W2509")
"""How rules begin that cdk-nag and the CDK around it know alone."""


@dataclass(frozen=True)
class Finding:
    """Something that a tool does not like about a resource."""

    tool: str
    rule: str
    on: str
    words: str


def main(template: Path) -> int:
    """Run the tools, print what is not explained and a line of figures. Returns the exit code."""
    explained = json.loads(template.read_text("utf-8"))["Metadata"]["Upcall::Explained"]
    found = [*cfn_lint(template), *checkov(template)]
    if shutil.which("node"):
        found += cdk_nag(template)
    else:
        print("cdk-nag needs Node.js, which is not here: left out")
        explained = [each for each in explained if not each["rule"].startswith(NAG_RULES)]

    bad = [each for each in found if not any(explains(reason, each) for reason in explained)]
    idle = [reason for reason in explained if not any(explains(reason, each) for each in found)]
    for each in bad:
        print(f"not explained: {each.tool} {each.rule} on {each.on}: {each.words}")
    for reason in idle:
        print(f"explains nothing: {reason}")
    print(f"{len(found)} findings, {len(explained)} explanations, {len(bad)} findings not explained")
    return 1 if bad or idle else 0


def explains(reason: dict[str, str], finding: Finding) -> bool:
    """Whether a reason is for this finding."""
    return (
        reason["rule"] == finding.rule
        and bool(reason["reason"])
        and fnmatchcase(finding.on, reason.get("resource", "*"))
        and fnmatchcase(finding.words, reason.get("finding", "*"))
    )


def cfn_lint(template: Path) -> Iterator[Finding]:
    """Its own rules, and those for serverless."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--append-rules", "cfn_lint_serverless.rules"]
    for each in _json([*command, "--format", "json", str(template)]):
        path = each["Location"].get("Path") or []
        on = path[1] if len(path) > 1 else _logical_id(each["Message"], template)
        yield Finding("cfn-lint", each["Rule"]["Id"], str(on), each["Message"])


def checkov(template: Path) -> Iterator[Finding]:
    """Its rules for CloudFormation, offline."""
    command = [sys.executable, "-m", "checkov.main", "--framework", "cloudformation", "--skip-download"]
    report = _json([*command, "--quiet", "--output", "json", "--file", str(template)])
    for each in report["results"]["failed_checks"]:
        resource = each["resource"].rpartition(".")[2]
        yield Finding("checkov", each["check_id"], resource, each["check_name"])


def cdk_nag(template: Path) -> Iterator[Finding]:
    """The rules of AWS Solutions and those for serverless, and what the CDK itself remarks."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(NAG), str(template), folder], check=True, capture_output=True)  # noqa: S603
        report = json.loads((Path(folder) / "validation-report.json").read_text("utf-8"))
    for plugin in report["pluginReports"]:
        for violation in plugin["violations"]:
            rule, _, detail = violation["ruleName"].partition("[")
            for construct in violation["violatingConstructs"]:
                on = construct["constructPath"].rpartition("/")[2]
                yield Finding("cdk-nag", rule, on, detail.removesuffix("]") or violation["description"])


def _json(command: list[str]) -> Any:
    """What a tool prints. It ends with an error code when it finds something."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _logical_id(words: str, template: Path) -> str:
    """The resource that a message names: some rules tell no place."""
    resources = json.loads(template.read_text("utf-8"))["Resources"]
    return next((word.strip(".,'") for word in words.split() if word.strip(".,'") in resources), "")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
