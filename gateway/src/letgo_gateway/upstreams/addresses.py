"""Which addresses may be called: none inside, unless it is allowed by name or network.

A name is resolved once, every address it has is judged, and the connection goes to one of these addresses: a name that
points elsewhere a moment later (DNS rebinding) gets nothing by it. Each redirect is judged anew, for it connects anew.
"""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from letgo_gateway.upstreams.errors import Forbidden, Unreachable

Address = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be called beside what is public: `allowed` are host names, addresses and networks, `*` for all."""

    allowed: tuple[str, ...] = ()

    async def resolve(self, host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
        """Where `host` may be called. Raises `Forbidden` if any of its addresses may not be, and `Unreachable`."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host} has no address: {error}") from error
        addresses = {
            (family, str(where[0])): ip_address(str(where[0]).partition("%")[0]) for family, *_, where in found
        }
        if not self._allows_name(host):
            for address in addresses.values():
                self._judge(host, address)
        return list(addresses)

    def _allows_name(self, host: str) -> bool:
        return "*" in self.allowed or host.lower() in self.allowed

    def _judge(self, host: str, address: Address) -> None:
        if is_public(address) or any(address in network for network in _networks(self.allowed)):
            return
        where = host if host == str(address) else f"{host} ({address})"
        raise Forbidden(f"{where} is an address inside; an administrator can allow it with GATEWAY_ALLOWED_UPSTREAMS")


def is_public(address: Address) -> bool:
    """Whether an address leads to the open Internet, as do the addresses that are written into it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None:
            return is_public(address.sixtofour)
        if address in _NAT64:
            return is_public(IPv4Address(address.packed[12:]))
    return address.is_global and not address.is_multicast and not address.is_reserved


def _networks(allowed: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    found: list[IPv4Network | IPv6Network] = []
    for entry in allowed:
        try:
            found.append(ip_network(entry, strict=False))
        except ValueError:
            continue  # a name
    return found
