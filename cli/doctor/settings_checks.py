"""The check of a stack's parameters against `samconfig.toml`, which should say how the stack is set.

The next `sam deploy` sets a parameter that the file names. One that it does not name keeps its deployed
value, because SAM sends `UsePreviousValue` for it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3

from cli.doctor.deployed_stack import DeployedStack
from cli.doctor.finding import CheckStatus, Finding
from cli.settings import SAMCONFIG, Environment, InvalidSettings, settings_of_stack
from local.template import Template

LABEL = "settings"

SECURITY_PARAMETERS = frozenset(
    {
        "AllowedDomains",
        "ApproverClaim",
        "Authorization",
        "AuthorizationScopes",
        "CallbackSecretName",
        "CallerClaims",
        "ConsoleClientId",
        "ConsoleTokenOrigin",
        "CorsOrigins",
        "FourEyes",
        "JwtAudience",
        "JwtIssuer",
        "OpenAIBaseUrl",
        "OpenAISecretName",
        "OpenAIWebhookSecretName",
        "OtlpEndpoint",
        "OtlpHeadersSecretName",
        "Tenancy",
        "TraceContent",
        "WebhookSecretName",
        "WebhookUrl",
    }
)
"""Who may use the API, which runs they see, and where data and secrets go. A difference is a problem."""


def check_settings(stack: DeployedStack, samconfig: Path = SAMCONFIG) -> Iterator[Finding]:
    """`samconfig.toml` must say in one place how the stack is set, and the stack be set so."""
    try:
        found = settings_of_stack(stack.name, boto3.Session().region_name, samconfig)
    except InvalidSettings as error:
        yield Finding(LABEL, "failed", str(error))
        return
    if not found:
        message = (
            f"no environment of samconfig.toml has the stack name {stack.name}, so no file says how it is set"
        )
        yield Finding(LABEL, "warning", message)
        return
    if len(found) > 1:
        names = " and ".join(each.name for each in found)
        message = (
            f"the environments {names} of samconfig.toml have the stack name {stack.name}; one must have it"
        )
        yield Finding(LABEL, "failed", message)
        return
    (environment,) = found
    defaults = {name: str(each.get("Default", "")) for name, each in Template().source["Parameters"].items()}
    findings = [*_check_file(environment, defaults), *_compare(stack.parameters, environment, defaults)]
    if not findings:
        message = f"as the environment {environment.name} of samconfig.toml says"
        findings = [Finding(LABEL, "ok", message)]
    yield from findings


def _check_file(environment: Environment, defaults: Mapping[str, str]) -> Iterator[Finding]:
    """What SAM would not do as the file seems to say."""
    if len(environment.sections) > 1:
        first, second = environment.sections
        message = f"samconfig.toml has parameter_overrides in [{first}] and [{second}]"
        yield Finding(
            LABEL, "failed", f"{message}; `sam deploy` reads only the second: move them to the first"
        )
    for text in environment.ignored:
        message = f"SAM ignores {text!r} in the parameter_overrides of {environment.name}"
        yield Finding(LABEL, "failed", f'{message}; write Name=value, and "Name=\\"a value\\"" with blanks')
    for name in sorted(environment.parameters.keys() - defaults.keys()):
        message = f"samconfig.toml names {name}, which is not a parameter of template.yaml; SAM ignores it"
        yield Finding(LABEL, "failed", message)


def _compare(
    deployed: Mapping[str, str], environment: Environment, defaults: Mapping[str, str]
) -> Iterator[Finding]:
    """The parameters of the stack that are not as the file says, or else the template."""
    for name in sorted(deployed.keys() & defaults.keys()):
        value = deployed[name]
        if name in environment.parameters:
            expected = environment.parameters[name]
            in_file = f"{_show(expected)} in samconfig.toml"
            outcome = f"the next `{environment.deploy_command}` sets {_show(expected)}"
        else:
            expected = defaults[name]
            in_file = f"not in samconfig.toml (default: {_show(expected)})"
            outcome = f"`{environment.deploy_command}` keeps {_show(value)}; add it, so that the file says so"
        if value != expected:
            status: CheckStatus = "failed" if name in SECURITY_PARAMETERS else "warning"
            message = f"{name} is {_show(value)} in the stack, and {in_file}; {outcome}"
            yield Finding(LABEL, status, message)


def _show(value: str) -> str:
    return value or "empty"
