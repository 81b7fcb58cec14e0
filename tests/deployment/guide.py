"""The commands of a guide, run as its reader would."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deployment.deployed import YES, Deployment
from deployment.engine import REGION

from local.config import ROOT

KEY = "sk-proj-a-key-of-a-test-0123456789"

BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NOT_RUN = {"git pull": "a copy of the project has no remote"}
"""Commands that are not run, and why."""

NOT_IN_ENGINE = ("aws sqs start-message-move-task", "aws stepfunctions redrive-execution")
"""Commands whose operations MiniStack 1.5 does not have, and says so."""


@dataclass(frozen=True)
class Step:
    """A command of a guide, or the content of a file that the guide shows."""

    kind: str
    text: str


def run_guide(
    deployment: Deployment,
    name: str,
    *,
    values: Mapping[str, str] | None = None,
    findings: Mapping[str, str] | None = None,
) -> None:
    """Run the commands of a guide in its order, and edit the settings that it shows.

    Names in capitals stand for outputs of the stack or for `values`, and RUN_ID for the run that was started last.
    `findings` are the commands that exit with 1, and what they must print.
    """
    run_id = ""
    for step in steps(ROOT / "docs" / name):
        if step.kind == "toml":
            deployment.settings.apply(step.text)
            if "Authorization=jwt" in step.text:
                use_identity_provider(deployment)
        elif step.text not in NOT_RUN:
            command = with_values(deployment, step.text.replace("RUN_ID", run_id), values or {})
            answers = f"{KEY}\n" if "read -rs KEY" in command else YES
            if command.startswith(NOT_IN_ENGINE):
                assert re.search(r"Invalid|Unknown", deployment.fail(command)), command
                continue
            if step.text in (findings or {}):
                assert (findings or {})[step.text] in deployment.fail(command), command
                continue
            printed = deployment.succeed(command, answers)
            if command.startswith(("call", "curl")):
                assert not re.search(r'"title"|"Unauthorized"|"Forbidden"', printed), f"{command}: {printed}"
            run_id = (re.findall(r"run_[0-9a-f]{28}", printed) or [run_id])[-1]


def steps(guide: Path) -> Iterator[Step]:
    """The commands after `$` in blocks of console, and whole blocks of TOML, in the guide's order."""
    for kind, content in BLOCK.findall(guide.read_text("utf-8")):
        if kind == "toml":
            yield Step(kind, content)
            continue
        for command in re.findall(r"^\$ ((?:.*\\\n)*.*)$", content, re.MULTILINE):
            yield Step(kind, command)


def with_values(deployment: Deployment, command: str, values: Mapping[str, str]) -> str:
    """A command with values, or else the stack's outputs, in the place of names such as TABLE_NAME."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return values.get(name) or deployment.output("".join(map(str.capitalize, name.split("_"))))

    return re.sub(r"(?<![\w$])((?:[A-Z]+_)+(?:NAME|URL|ARN))\b(?!=)", value, command)


def use_identity_provider(deployment: Deployment) -> None:
    """Make a user pool the issuer of tokens, and let the shell have a token of it."""
    cognito = deployment.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="callers")["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="callers", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    user = {"UserPoolId": pool, "Username": "ada"}
    password = "Pass-word-1"  # noqa: S105  # of nobody
    cognito.admin_create_user(**user, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**user, Password=password, Permanent=True)
    tokens = cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": password},
    )["AuthenticationResult"]
    deployment.settings.set(
        JwtIssuer=f"https://cognito-idp.{REGION}.amazonaws.com/{pool}", JwtAudience=client
    )
    deployment.succeed(f"TOKEN={tokens['IdToken']}")
