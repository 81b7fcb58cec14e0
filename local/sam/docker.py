"""Where containers of this machine's Docker reach a server of ours."""

import ipaddress
import json
import subprocess

from local.http_server import bindable


class NoDocker(Exception):
    """There is no Docker engine that answers."""


def gateways() -> tuple[str, ...]:
    """The addresses of this machine on Docker's bridge, where containers find it.

    There are none with Docker Desktop, whose engine is in a machine of its own: it leads
    `host.docker.internal` to loopback here. Raises NoDocker.
    """
    asked = docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    if asked.returncode != 0:
        raise NoDocker(f"Docker does not answer: {asked.stderr.strip()}")
    # some engines leave the gateway out where it is the first address of the network, as it is by default
    found = (net.get("Gateway") or ipaddress.ip_network(net["Subnet"])[1] for net in json.loads(asked.stdout))
    return tuple(str(address) for address in found if bindable(str(address)))


def has_image(name: str) -> bool:
    """Whether the engine has an image of that name, so that none need be pulled."""
    return docker("image", "inspect", name).returncode == 0


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `docker` to its end. Raises NoDocker where there is no such command."""
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        raise NoDocker("there is no command docker on this machine") from None
