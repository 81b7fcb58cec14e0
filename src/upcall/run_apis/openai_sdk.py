"""What Upcall uses of the OpenAI SDK: its client, its streams and its errors.

`import openai` also loads models of all requests and responses: 470 modules, which Upcall does not use and
which take more than half of the time. The `__init__` modules of three packages load them. These are left out
here, and run as usual when somebody imports `openai` later; the client and the errors are the same then.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["APIError", "APIStatusError", "OpenAI", "Stream"]

PACKAGES = ("openai", "openai.lib", "openai.types")


class PackageLoader(SourceFileLoader):
    """Loads a package. Those of its modules that were loaded before become its attributes."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the package's `__init__`."""
        for name, loaded in list(sys.modules.items()):
            package, _, child = name.rpartition(".")
            if package == module.__name__:
                setattr(module, child, loaded)
        super().exec_module(module)


class PackageFinder:
    """Finds the packages that were left out; an entry of `sys.meta_path`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The package's spec, with a PackageLoader."""
        spec = PathFinder.find_spec(name, path, target) if name in PACKAGES else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = PackageLoader(name, spec.loader.path)
        return spec


@contextmanager
def empty_packages() -> Iterator[None]:
    """Let modules of the SDK be imported without the `__init__` modules of their packages.

    Another thread must not import `openai` meanwhile: it would find an empty package.
    """
    try:
        for name in PACKAGES:
            if spec := find_spec(name):
                sys.modules[name] = module_from_spec(spec)
        yield
    finally:
        for name in PACKAGES:
            sys.modules.pop(name, None)


if TYPE_CHECKING or "openai" in sys.modules:
    from openai import APIError, APIStatusError, OpenAI, Stream
else:
    with empty_packages():
        from openai._client import OpenAI
        from openai._exceptions import APIError, APIStatusError
        from openai._streaming import Stream
    sys.meta_path.insert(0, PackageFinder)
