"""Where a name is looked up."""

from __future__ import annotations

import pytest

from mcsdns.zone.apex import apex
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import Node, RRset, ServiceRecords, Type, Update
from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import OPTIONS

A: Node = (RRset(Type.A, 5, (bytes(4),)),)


def name(text: str) -> bytes:
    return from_text(f"{text}.clusterset.local" if text else "clusterset.local")


def records(owner: str, *below: str) -> dict[bytes, ServiceRecords | None]:
    nodes: dict[bytes, Node] = {name(f"{owner}.svc"): A}
    nodes |= {name(f"{label}.{owner}.svc"): A for label in below}
    return {name(f"{owner}.svc"): ServiceRecords(name(f"{owner}.svc"), nodes)}


def update(services: dict[bytes, ServiceRecords | None], serial: int = 1, complete: bool = True) -> Update:
    return Update("any", serial, complete, apex(OPTIONS, serial), services)


def gone(*owners: str) -> dict[bytes, ServiceRecords | None]:
    return {name(f"{owner}.svc"): None for owner in owners}


@pytest.fixture
def zone() -> Snapshot:
    return Snapshot(update(records("web.test", "_tcp", "_http._tcp") | records("db.test") | records("web.prod")))


@pytest.mark.parametrize(
    "text", ["web.test.svc", "_tcp.web.test.svc", "_http._tcp.web.test.svc", "ns.dns", "dns-version", ""]
)
def test_names_that_have_records(zone: Snapshot, text: str) -> None:
    """A name is found in its service, or in the apex."""
    assert zone.find(name(text))


@pytest.mark.parametrize("text", ["svc", "dns", "test.svc", "prod.svc"])
def test_empty_non_terminals(zone: Snapshot, text: str) -> None:
    """`svc`, `dns` and each namespace that holds an import exist without records (RFC 8020)."""
    assert zone.find(name(text)) == ()


@pytest.mark.parametrize(
    "text", ["x", "x.svc", "x.test.svc", "x.web.test.svc", "x._tcp.web.test.svc", "test", "web.test", "x.dns"]
)
def test_names_that_do_not_exist(zone: Snapshot, text: str) -> None:
    """What is in no service and not in the apex does not exist."""
    assert zone.find(name(text)) is None


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("web.test.svc", "web.test.svc"),
        ("a.b.c.web.test.svc", "web.test.svc"),
        ("nosuch.nosuch.svc", "nosuch.nosuch.svc"),
        ("test.svc", None),
        ("svc", None),
        ("", None),
        ("a.b.dns", None),
        ("a.b.c.dns-version", None),
        ("a.b.c.x", None),
    ],
)
def test_the_service_of_a_name(zone: Snapshot, text: str, service: str | None) -> None:
    """The service at or above a name is three labels below the zone, under `svc`; None where no service could be."""
    assert zone.service_of(name(text)) == (name(service) if service else None)


def test_holds_goes_by_label(zone: Snapshot) -> None:
    """Whether a name is in the zone does not depend on whether it exists."""
    assert zone.holds(name("nosuch"))
    assert zone.holds(name(""))
    assert not zone.holds(from_text("xclusterset.local"))
    assert not zone.holds(from_text("local"))


def test_an_update_replaces_a_service_as_a_whole(zone: Snapshot) -> None:
    """Of the old records of a service nothing stays; other services are as they were."""
    zone.apply(update(records("web.test", "_udp"), serial=2))
    assert zone.find(name("_tcp.web.test.svc")) is None
    assert zone.find(name("_http._tcp.web.test.svc")) is None
    assert zone.find(name("_udp.web.test.svc"))
    assert zone.find(name("db.test.svc"))


def test_a_namespace_goes_with_its_last_service(zone: Snapshot) -> None:
    """A namespace exists while it holds an import, however often that was replaced."""
    for serial in (2, 3):
        zone.apply(update(records("web.test"), serial=serial))
    zone.apply(update(gone("web.test"), serial=4))
    assert zone.find(name("test.svc")) == ()
    zone.apply(update(gone("db.test", "web.test"), serial=5))
    assert zone.find(name("test.svc")) is None
    assert zone.find(name("prod.svc")) == ()
    zone.apply(update(records("db.test"), serial=6))
    assert zone.find(name("test.svc")) == ()


def test_a_service_that_was_never_there_may_go(zone: Snapshot) -> None:
    """Levels, not edges: a removal of what is not known does no harm."""
    zone.apply(update(gone("nosuch.test", "nosuch.nosuch"), serial=2))
    assert zone.find(name("test.svc")) == ()
    assert zone.find(name("nosuch.svc")) is None


def test_a_service_without_names_makes_its_namespace_exist(zone: Snapshot) -> None:
    """Headless without a ready endpoint: its name does not exist, its namespace does."""
    owner = name("hlx.quiet.svc")
    zone.apply(update({owner: ServiceRecords(owner, {})}, serial=2))
    assert zone.find(owner) is None
    assert zone.find(name("quiet.svc")) == ()


def test_serial_completeness_and_apex_are_those_of_the_last_update(zone: Snapshot) -> None:
    """An update carries the serial, the apex and whether the zone is complete."""
    assert (zone.serial, zone.complete) == (1, True)
    zone.apply(update({}, serial=9, complete=False))
    assert (zone.serial, zone.complete, zone.apex) == (9, False, apex(OPTIONS, 9))
