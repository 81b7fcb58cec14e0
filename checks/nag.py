"""cdk-nag, which runs within the CDK: `python checks/nag.py TEMPLATE FOLDER` leaves its report in FOLDER."""

import sys
from contextlib import suppress

from aws_cdk import App, Stack, Validations
from aws_cdk.cloudformation_include import CfnInclude
from cdk_nag import AwsSolutionsChecks, ServerlessChecks


def check(template: str, folder: str) -> None:
    """Check a template of CloudFormation with the rules of AWS Solutions and those for serverless."""
    app = App(outdir=folder)
    CfnInclude(Stack(app, "upcall"), "template", template_file=template)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    with suppress(RuntimeError):  # that something was found, which the report says better
        app.synth()


if __name__ == "__main__":
    check(*sys.argv[1:])
