"""What is deployed names no partition, region or account by hand."""

import re

import pytest

from local.config import ROOT

DEPLOYED = [
    ROOT / "template.yaml",
    ROOT / "monitoring.yaml",
    ROOT / "console.yaml",
    *sorted((ROOT / "statemachine").glob("*.yaml")),
    *sorted((ROOT / "src").rglob("*.py")),
    *sorted((ROOT / "src").rglob("*.toml")),
    *sorted((ROOT / "layers").rglob("Makefile")),
]
FIXED = {
    "partition": r"\barn:aws[a-z-]*:",
    "region": r"\b(us|eu|ap|sa|ca|me|af|il|mx|cn)(-gov)?-(north|south|east|west|central)[a-z]*-\d\b",
    "account": r"\b\d{12}\b",
    "domain of a partition": r"amazonaws\.com\.cn",
}


@pytest.mark.parametrize("kind", FIXED)
def test_no_deployed_file_names_one_by_hand(kind: str) -> None:
    found = {
        path.relative_to(ROOT).as_posix(): match[0]
        for path in DEPLOYED
        if (match := re.search(FIXED[kind], path.read_text("utf-8")))
    }

    assert len(DEPLOYED) > 100
    assert found == {}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("partition", "arn:aws:states:::lambda:invoke"),
        ("partition", "arn:aws-cn:s3:::x"),
        ("region", "us-gov-west-1"),
        ("region", "eu-central-1"),
        ("account", "arn:x:iam::123456789012:role"),
    ],
)
def test_the_patterns_find_what_they_are_for(kind: str, text: str) -> None:
    assert re.search(FIXED[kind], text)
