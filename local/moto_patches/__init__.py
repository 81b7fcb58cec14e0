"""Changes to moto that the local stack needs.

Importing this package loads the parts of moto that they change.
"""

from local.config import AWS_ENVIRONMENT, aws_environment
from local.moto_patches.imports import import_without_unused_services

with aws_environment(
    AWS_ENVIRONMENT
):  # some modules of moto read the user's AWS profile when they are loaded
    import_without_unused_services()
