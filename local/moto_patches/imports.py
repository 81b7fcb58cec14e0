"""Loads moto's CloudFormation and Step Functions without services of which the stack has no resources.

Both load nearly all services of moto, among them EC2, which alone takes longer than the local stack's other
imports. Fits moto 5.2.5.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MODULES = (
    "moto.cloudformation.parsing",
    "moto.stepfunctions.parser.asl.parse.asl_parser",
    "moto.stepfunctions.parser.backend.execution",
)

UNUSED_SERVICES = frozenset(
    {
        "apigateway",
        "autoscaling",
        "batch",
        "cloudwatch",
        "datapipeline",
        "ec2",
        "ecr",
        "ecs",
        "efs",
        "elb",
        "elbv2",
        "emr",
        "iot",
        "kinesis",
        "rds",
        "redshift",
        "route53",
        "sagemaker",
        "sns",
        "ssm",
    }
)
"""moto.cloudformation cannot create resources of these."""


def import_without_unused_services() -> None:
    """Import MODULES with a placeholder for each module of an unused service that is not loaded yet.

    The placeholders are removed afterwards, so that a request to such a service loads it.
    """
    with _placeholders():
        for name in MODULES:
            import_module(name)


@contextmanager
def _placeholders() -> Iterator[None]:
    finder = _PlaceholderFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for module in finder.placeholders:
            parent, _, name = module.__name__.rpartition(".")
            del sys.modules[module.__name__]
            if parent in sys.modules:
                delattr(sys.modules[parent], name)


class _PlaceholderFinder(MetaPathFinder, Loader):
    """Finds a placeholder for every module of an unused service."""

    def __init__(self) -> None:
        self.placeholders: list[ModuleType] = []

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        if package == "moto" and rest.partition(".")[0] in UNUSED_SERVICES:
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = _PlaceholderModule(spec.name)
        self.placeholders.append(module)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a placeholder has no code."""


class _PlaceholderModule(ModuleType):
    """A module of which every name is a placeholder."""

    def __getattr__(self, name: str) -> "_Placeholder":
        if name.startswith("__"):
            raise AttributeError(name)
        return _Placeholder(name, (), {})


class _Placeholder(type):
    """A class whose attributes are placeholders, as it may stand for an enumeration.

    It can be a base class.
    """

    def __getattr__(cls, name: str) -> "_Placeholder":
        if name.startswith("__"):
            raise AttributeError(name)
        return _Placeholder(name, (), {})
