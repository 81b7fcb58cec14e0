"""Runs cdk-nag as a plugin of the CDK: `python checks/nag.py TEMPLATE FOLDER` writes its report to FOLDER."""

import sys
from contextlib import suppress

from aws_cdk import App, Stack, Validations
from aws_cdk.cloudformation_include import CfnInclude
from cdk_nag import AwsSolutionsChecks, ServerlessChecks


def check(template: str, folder: str) -> None:
    """Check a CloudFormation template with the rules AWS Solutions and Serverless."""
    app = App(outdir=folder)
    CfnInclude(Stack(app, "upcall"), "template", template_file=template)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    with suppress(RuntimeError):  # raised if there are findings, which are in the report
        app.synth()


if __name__ == "__main__":
    check(*sys.argv[1:])
