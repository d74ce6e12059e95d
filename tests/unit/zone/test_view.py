"""One view of the zone as it grows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Reason, ServiceKey, View
from mcsdns.zone.build import Options
from mcsdns.zone.names import from_text
from mcsdns.zone.view import ZoneView
from tests.clustersets import OPTIONS, clusterset, hear
from tests.manifests import imported_slice, service_import, together

WEB = ServiceKey("test", "web")
OWNER = from_text("web.test.svc.clusterset.local")


@pytest.fixture
def mirror() -> Mirror:
    (mirror,) = clusterset({"a": service_import("web", ips=["10.0.0.1"])})
    return mirror


@pytest.fixture
def view() -> ZoneView:
    return ZoneView(View(None), OPTIONS, serial=100)


def test_the_first_take_always_returns_an_update(view: ZoneView) -> None:
    """A plane needs something to answer from before anything has been heard."""
    update = view.take(complete=False)
    assert update is not None
    assert (update.view, update.serial, update.complete, dict(update.services)) == ("any", 101, False, {})
    assert view.take(complete=False) is None


def test_what_is_built_goes_out_with_the_next_take(view: ZoneView, mirror: Mirror) -> None:
    """A service is built from the mirrors as they are at that moment; it goes out once."""
    view.build(WEB, [mirror])
    update = view.take(complete=True)
    assert update is not None
    assert set(update.services) == {OWNER}
    assert view.take(complete=True) is None


def test_other_options_go_out_with_the_next_take(view: ZoneView, mirror: Mirror) -> None:
    """Another TTL names the services that must be built again; other options at all are published; the same ones are nothing."""
    view.build(WEB, [mirror])
    view.take(complete=True)
    assert list(view.configure(OPTIONS)) == []
    assert view.take(complete=True) is None
    assert list(view.configure(replace(OPTIONS, negative_ttl=9))) == []
    update = view.take(complete=True)
    assert update is not None
    assert (dict(update.services), update.apex.soa.ttl) == ({}, 9)
    assert list(view.configure(replace(OPTIONS, ttl=9))) == [WEB]


def test_what_was_handed_over_goes_out_once_and_is_published_all_the_same(view: ZoneView, mirror: Mirror) -> None:
    """What the plane has staged is seen with the next update, so there is one, with a serial of its own."""
    view.take(complete=True)
    assert view.hand_over() == {}
    assert view.take(complete=True) is None
    view.build(WEB, [mirror])
    assert set(view.hand_over()) == {OWNER}
    assert view.hand_over() == {}
    update = view.take(complete=True)
    assert update is not None
    assert (update.serial, dict(update.services)) == (102, {})
    assert view.take(complete=True) is None


def test_a_service_that_is_gone_goes_out_as_none(view: ZoneView, mirror: Mirror) -> None:
    """A service that the view no longer holds is told by its name."""
    view.build(WEB, [mirror])
    view.take(complete=True)
    hear(mirror, "")
    view.build(WEB, [mirror])
    update = view.take(complete=True)
    assert update is not None
    assert dict(update.services) == {OWNER: None}
    assert view.services == {}
    view.build(WEB, [mirror])
    assert view.take(complete=True) is None


def test_records_that_come_out_as_they_were_are_no_change(view: ZoneView, mirror: Mirror) -> None:
    """They are not published and move no serial."""
    for _ in range(3):
        view.build(WEB, [mirror])
    update = view.take(complete=True)
    assert update is not None
    view.build(WEB, [mirror])
    assert view.take(complete=True) is None
    assert view.serial == update.serial


def test_what_is_left_out_is_told_without_an_update(view: ZoneView, mirror: Mirror) -> None:
    """A reason that comes or goes while the records stay moves no serial, and can be read at once."""
    view.build(WEB, [mirror])
    view.take(complete=True)
    hear(mirror, service_import("web", ips=["10.0.0.1", "pending"]))
    view.build(WEB, [mirror])
    assert view.take(complete=True) is None
    assert [omission.reason for omission in view.omissions(WEB)] == [Reason.BAD_ADDRESS]
    assert view.omissions(ServiceKey("test", "nosuch")) == ()


def test_completeness_is_a_change(view: ZoneView) -> None:
    """That the zone has become complete is published, though no record changed."""
    view.take(complete=False)
    update = view.take(complete=True)
    assert update is not None
    assert (update.complete, update.serial) == (True, 102)
    assert view.take(complete=True) is None


def test_several_services_go_out_together(view: ZoneView) -> None:
    """What was built since the last take is one update, with one serial."""
    text = together(
        service_import("web", ips=["10.0.0.1"]),
        service_import("db", headless=True),
        imported_slice("db", "a", "10.0.0.2"),
    )
    mirrors = clusterset({"a": text})
    for name in ("web", "db", "nosuch"):
        view.build(ServiceKey("test", name), mirrors)
    update = view.take(complete=True)
    assert update is not None
    assert set(update.services) == {OWNER, from_text("db.test.svc.clusterset.local")}
    assert update.serial == 101


BOTH = together(
    service_import("web", ips=["10.0.0.1"]),
    service_import("db", headless=True),
    imported_slice("db", "a", "10.0.0.2", "10.0.0.3"),
)


def filled(*names: str, text: str = BOTH, options: Options = OPTIONS, serial: int = 1) -> ZoneView:
    made, mirrors = ZoneView(View(None), options, serial), clusterset({"a": text})
    for name in names:
        made.build(ServiceKey("test", name), mirrors)
    return made


def test_replicas_that_hold_the_same_have_the_same_hash() -> None:
    """Whatever the order in which services were built, the serial, and what was there between."""
    one, other = filled("web", "db", serial=1), filled("db", "web", serial=900)
    other.take(complete=True)
    assert one.hash == other.hash
    before, mirrors = one.hash, clusterset({"a": service_import("web", ips=["10.0.0.9"])})
    one.build(WEB, mirrors)
    one.build(ServiceKey("test", "db"), mirrors)
    assert one.hash != before
    for name in ("db", "web"):
        one.build(ServiceKey("test", name), clusterset({"a": BOTH}))
    assert one.hash == before


def test_every_difference_of_records_is_one_of_the_hash() -> None:
    """A service, an address, an owner name, a TTL, or the addresses of the name server."""
    hashes = {
        filled().hash,
        filled("web").hash,
        filled("db").hash,
        filled("web", "db").hash,
        filled("web", text=BOTH.replace("10.0.0.1", "10.0.0.4")).hash,
        filled("wob", text=BOTH.replace("web", "wob")).hash,
        filled("web", options=replace(OPTIONS, ttl=6)).hash,
        filled("web", options=replace(OPTIONS, negative_ttl=6)).hash,
        filled("web", options=replace(OPTIONS, advertise=(b"\x0a\0\0\x09",))).hash,
    }
    assert len(hashes) == 9
    assert all(0 <= one < 2**52 for one in hashes), "a float holds it exactly"


def test_the_hash_is_the_same_in_every_process() -> None:
    """Python's own hashes differ from process to process; this one must not."""
    assert f"{filled('web', 'db').hash:013x}" == "3fbeefa8279f9"
