"""
Asks one DNS server, over UDP or TCP, as a stub resolver does.

Rules:
1. Nothing is raised: what does not work is in the reply.
2. A lost datagram is asked again once, within the limit.

Not here: what an answer means (`judge`).
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from contextlib import suppress

from dnslib import EDNS0, QTYPE, RCODE, DNSError, DNSQuestion, DNSRecord

from mcsdns.doctor.facts import TRANSPORTS, Asked, Reply, Transport

UDP_PAYLOAD = 1232
"""Octets that we take over UDP (RFC 9715)."""
_RECORDS = ("A", "AAAA", "SRV", "TXT")


async def ask_all(address: str, origin: str, zone: str, named: tuple[str, str] | None, limit_s: float) -> Asked:
    """
    Ask an address all that is to be asked.

    Args:
        address: `host:port`.
        origin: Where the address comes from.
        zone: Whose `dns-version` is asked for.
        named: One more name to ask for and its type, or None.
        limit_s: Seconds to wait for each answer.
    """
    fresh = f"mcsdns-doctor-{secrets.token_hex(4)}.svc.{zone}"
    queries = [(t, f"dns-version.{zone}", "TXT") for t in TRANSPORTS] + [
        (t, f"{t.lower()}-{fresh}", "A") for t in TRANSPORTS
    ]
    if named is not None:
        queries.append(("UDP", *named))
    replies = await asyncio.gather(*(ask(address, transport, what, of, limit_s) for transport, what, of in queries))
    return Asked(
        address=address,
        origin=origin,
        version=dict(zip(TRANSPORTS, replies, strict=False)),
        fresh=dict(zip(TRANSPORTS, replies[2:], strict=False)),
        named=replies[4] if named is not None else None,
    )


def type_of(name: str) -> str:
    """Return the type that a name is asked for: SRV where it begins with the name of a port."""
    return "SRV" if name.startswith("_") else "A"


async def ask(address: str, transport: Transport, name: str, rr_type: str, limit_s: float) -> Reply:
    """
    Ask one question.

    Args:
        address: `host:port`.
        transport: UDP or TCP.
        name: In full.
        rr_type: A mnemonic.
        limit_s: Seconds to wait.
    """
    query = DNSRecord(q=DNSQuestion(name, getattr(QTYPE, rr_type)))
    query.add_ar(EDNS0(udp_len=UDP_PAYLOAD))
    host, _, port = address.rpartition(":")
    send = _udp if transport == "UDP" else _tcp
    try:
        async with asyncio.timeout(limit_s):
            octets = await send(host.strip("[]"), int(port), query.pack(), limit_s / 2)
    except TimeoutError:
        return Reply(problem=f"no answer within {limit_s:g} s")
    except (OSError, EOFError) as error:
        # By its number: asyncio's own words hold the address and not the cause.
        number = error.errno if isinstance(error, OSError) else None
        return Reply(problem=os.strerror(number) if number else "the connection was closed")
    return _read(octets, rr_type)


def _read(octets: bytes, rr_type: str) -> Reply:
    try:
        record = DNSRecord.parse(octets)
        answers = [one for one in record.rr if QTYPE.get(one.rtype) in _RECORDS]
        soa = next((one for one in record.auth if QTYPE.get(one.rtype) == "SOA"), None)
        kept = answers or ([soa] if soa is not None else [])
        return Reply(
            rcode=str(RCODE.get(record.header.rcode)),
            records=tuple(sorted(str(one.rdata) for one in answers if QTYPE.get(one.rtype) == rr_type)),
            soa=str(soa.rname).rstrip(".").lower() if soa is not None else None,
            ttl_s=min((one.ttl for one in kept), default=None),
        )
    except (DNSError, ValueError, IndexError) as error:
        return Reply(problem=f"what came is no DNS message: {error}")


async def _udp(host: str, port: int, query: bytes, again_s: float) -> bytes:
    loop = asyncio.get_running_loop()
    got: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(got, query[:2]), remote_addr=(host, port))
    try:
        transport.sendto(query)
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(got), again_s)
        transport.sendto(query)
        return await got
    finally:
        transport.close()


async def _tcp(host: str, port: int, query: bytes, _again_s: float) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(len(query).to_bytes(2) + query)
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    finally:
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """Takes the first datagram with our id."""

    def __init__(self, got: asyncio.Future[bytes], number: bytes) -> None:
        self._got = got
        self._number = number

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the signature of asyncio
        """Take a datagram."""
        if data[:2] == self._number:
            self._settle(lambda: self._got.set_result(data))

    def error_received(self, exc: Exception) -> None:
        """Take what the kernel says of the port (ICMP)."""
        self._settle(lambda: self._got.set_exception(exc))

    def _settle(self, how: Callable[[], None]) -> None:
        if not self._got.done():
            how()
