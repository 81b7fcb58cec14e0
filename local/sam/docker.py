"""How containers of this machine's Docker reach servers of this machine."""

import ipaddress
import json
import subprocess

from local.http_server import can_bind


class NoDocker(Exception):
    """No Docker engine responds."""


def gateway_addresses() -> tuple[str, ...]:
    """The addresses of this machine on Docker's bridge, at which containers reach it.

    With Docker Desktop there are none: its engine runs in a virtual machine and connects
    `host.docker.internal` to this machine's loopback. Raises NoDocker.
    """
    result = run_docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    if result.returncode != 0:
        raise NoDocker(f"Docker does not respond: {result.stderr.strip()}")
    networks = json.loads(result.stdout)
    # some engines omit the gateway if it is the first address of the network, which is the default
    gateways = (net.get("Gateway") or ipaddress.ip_network(net["Subnet"])[1] for net in networks)
    return tuple(str(address) for address in gateways if can_bind(str(address)))


def has_image(name: str) -> bool:
    """Whether the engine has an image of that name, which then need not be pulled."""
    return run_docker("image", "inspect", name).returncode == 0


def run_docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `docker`. Raises NoDocker if there is no such command."""
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        raise NoDocker("there is no command docker on this machine") from None
