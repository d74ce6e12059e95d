"""`/services` and `/omissions`: what a page of them holds."""

from __future__ import annotations

import asyncio

import pytest

from mcsdns.admin.omission_list import OmissionList, omissions
from mcsdns.admin.service_list import ServiceList, ServiceRow, SourceCluster, services
from mcsdns.clusterset.model import ServiceKey
from tests.manifests import (
    cluster_property,
    imported_slice,
    native_slice,
    service_export,
    service_import,
    together,
)
from tests.unit.admin.servers import FakeServer

WEST = together(
    service_import("web", ips=["10.1.1.1", "2001:db8::1", "nonsense"], ports=["http 80/TCP"], clusters=["north"]),
    service_import("hl", headless=True),
    imported_slice("hl", "north", "a=10.1.0.1", "b=10.1.0.2+10.1.0.3", "c=10.1.0.4 !ready"),
    imported_slice("hl", None, "10.9.0.1", name="nobodys"),
    native_slice("hl", "10.2.0.1"),
    service_export("hl"),
    service_import("lone", ips=["10.1.1.2"], namespace="else"),
)
EAST = together(service_import("web", ips=["10.2.2.2"], ports=["http 80/TCP"]), service_export("web"))


@pytest.fixture
def server() -> FakeServer:
    return FakeServer({"west": WEST, "east": EAST})


def listed(server: FakeServer, **parameters: str) -> ServiceList:
    return asyncio.run(services(server.state, list(parameters.items())))


def left_out(server: FakeServer, **parameters: str) -> OmissionList:
    return asyncio.run(omissions(server.state, list(parameters.items())))


def names(found: ServiceList) -> list[str]:
    return [f"{one.namespace}/{one.name}" for one in found.services]


def test_a_clusterset_ip_service(server: FakeServer) -> None:
    """Its addresses, the clusters that its import or their exports name, and how much is left out; no endpoints: they do not matter."""
    (row,) = listed(server, q="web").services
    assert row == ServiceRow(
        namespace="test",
        name="web",
        dns="web.test.svc.clusterset.local.",
        type="ClusterSetIP",
        imported_from="west",
        addresses=("10.1.1.1", "2001:db8::1"),
        endpoints=None,
        clusters=(SourceCluster("e.eu", None), SourceCluster("north", None)),
        omissions=1,
    )


def test_a_headless_service(server: FakeServer) -> None:
    """The addresses of its ready endpoints, by the cluster that they are in; those whose cluster nobody names apart."""
    (row,) = listed(server, q="hl").services
    assert (row.type, row.addresses, row.endpoints) == ("Headless", (), 5)
    assert row.clusters == (SourceCluster(None, 1), SourceCluster("north", 3), SourceCluster("west", 1))


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, ["else/lone", "test/hl", "test/web"]),
        ({"q": "l"}, ["else/lone", "test/hl"]),
        ({"q": "TEST/"}, ["test/hl", "test/web"]),
        ({"q": "est/we"}, ["test/web"]),
        ({"q": "nosuch"}, []),
        ({"view": "east"}, ["test/web"]),
        ({"cluster": "east"}, ["test/web"]),
        ({"cluster": "e.eu"}, ["test/web"]),
        ({"cluster": "north"}, ["test/hl", "test/web"]),
        ({"cluster": "north", "q": "hl"}, ["test/hl"]),
        ({"cluster": "west"}, ["else/lone", "test/hl", "test/web"]),
        ({"cluster": "nosuch"}, []),
        ({"q": "", "cluster": "", "view": "", "page": ""}, ["else/lone", "test/hl", "test/web"]),
    ],
)
def test_filters(server: FakeServer, parameters: dict[str, str], found: list[str]) -> None:
    """By a part of namespace/name, by a cluster's name or id, by view; together they all hold."""
    assert names(listed(server, **parameters)) == found
    assert listed(server, **parameters).total == len(found)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"view": "north"}, "no listener serves the view 'north'; served: west, east"),
        ({"page": "0"}, "expected a number from 1"),
        ({"qq": "x"}, "unknown parameter 'qq'; expected q, cluster, view, page"),
    ],
)
def test_parameters_that_are_wrong(server: FakeServer, parameters: dict[str, str], problem: str) -> None:
    """They are named."""
    with pytest.raises(ValueError, match=problem):
        listed(server, **parameters)


def test_pages() -> None:
    """A hundred on each, in order."""
    many = together(*(service_import(f"s{number:03}", ips=["10.0.0.1"]) for number in range(250)))
    server = FakeServer({"west": many, "east": ""})
    third = listed(server, page="3")
    assert (third.page, third.pages, third.total) == (3, 3, 250)
    assert names(third) == [f"test/s{number:03}" for number in range(200, 250)]


def test_a_service_that_goes_meanwhile(server: FakeServer) -> None:
    """It is left out, and the others are shown."""
    server.state.views[0].services[ServiceKey("test", "gone")] = server.state.views[0].services[
        ServiceKey("test", "hl")
    ]
    assert names(listed(server)) == ["else/lone", "test/hl", "test/web"]


def test_omissions_are_what_is_counted(server: FakeServer) -> None:
    """For every cluster and reason that `/status` counts there are as many rows, and no others."""
    manifests = {"west": together(WEST, service_import("Bad"), cluster_property("no id")), "east": EAST}
    for state in (
        server.state,
        FakeServer(manifests).state,
        FakeServer({"west": cluster_property("e.eu"), "east": EAST}).state,
    ):
        counts = dict(state.omissions.count(state.views, state.mirrors))
        every = asyncio.run(omissions(state, []))
        assert every.total == sum(counts.values()) == len(every.omissions)
        for (cluster, reason), count in counts.items():
            found = asyncio.run(omissions(state, [("cluster", cluster), ("reason", reason)]))
            assert {(one.cluster, one.reason.value) for one in found.omissions} == {(cluster, reason)}
            assert found.total == count


def test_an_omission(server: FakeServer) -> None:
    """What, of which cluster, why."""
    (one,) = left_out(server, reason="not-ready").omissions
    assert (one.cluster, one.object) == ("west", "EndpointSlice test/imported-hl-north")
    assert one.detail == "c 10.1.0.4 is not ready"
    assert left_out(server, cluster="nosuch").omissions == ()


def test_a_reason_that_is_none(server: FakeServer) -> None:
    """It is refused with those that there are."""
    with pytest.raises(ValueError, match="'late' is no reason; expected one of malformed, bad-name"):
        left_out(server, reason="late")
