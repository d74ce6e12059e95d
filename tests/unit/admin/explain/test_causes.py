"""Why a service is not there, or not whole: the first cause that applies, over several clusters and views."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mcsdns.admin.explain import Explanation, explain
from mcsdns.admin.explain.rules import Rule
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from tests.clustersets import OPTIONS, clusterset, hear
from tests.manifests import (
    cluster_property,
    endpoint_slice,
    imported_slice,
    native_slice,
    service_export,
    service_import,
    together,
)

WEB = "web.test.svc.clusterset.local"
NOTHING = service_import("other", ips=["10.9.9.9"])


def ask(
    mirrors: Sequence[Mirror], name: str = WEB, rr_type: str = "A", view: str | None = "west", complete: bool = True
) -> Explanation:
    return explain(name, rr_type, View(view), mirrors, OPTIONS, complete=complete)


def test_imported_elsewhere() -> None:
    """A service that other clusters import is not in this view; the hint says in whose, and who exports it."""
    mirrors = clusterset(
        {"west": NOTHING, "east": together(service_import("web", ips=["10.1.1.1"]), service_export("web"))}
    )
    found = ask(mirrors)
    assert (found.outcome, found.rule) == ("NXDOMAIN", Rule.NOT_IMPORTED)
    assert found.cause == "west holds no ServiceImport of test/web; other clusters do: east"
    assert found.hints == ("the service is answered in the view of: east", "it is exported by: east")
    assert [(ref.cluster, ref.kind) for ref in found.objects] == [("east", "ServiceImport"), ("east", "ServiceExport")]


def test_exported_but_never_imported() -> None:
    """An export without any import means that no controller has done its work."""
    found = ask(clusterset({"west": NOTHING, "east": service_export("web")}))
    assert found.cause == (
        "test/web is exported by east, but no cluster holds its ServiceImport: no controller has created it"
    )
    assert [ref.kind for ref in found.objects] == ["ServiceExport"]


def test_exported_but_not_valid_or_in_conflict() -> None:
    """What the export's own conditions say comes first among the hints."""
    conditions = [
        {"type": "Valid", "status": "False"},
        {"type": "Conflict", "status": "True", "message": "port names differ"},
    ]
    found = ask(clusterset({"west": NOTHING, "east": service_export("web", conditions=conditions)}))
    assert found.hints[0] == "the ServiceExport in east is in conflict: port names differ"
    assert found.hints[1] == "the ServiceExport in east is not valid: does the Service test/web exist?"


def test_not_exported() -> None:
    """A Service that nobody exports shows by its slices alone."""
    found = ask(clusterset({"west": NOTHING, "east": native_slice("web", "10.1.0.1")}))
    assert (
        found.cause == "test/web is a Service in east, but it is not exported: no cluster holds a ServiceExport of it"
    )
    assert found.hints == ("create a ServiceExport test/web in east",)


def test_imported_slices_without_an_import() -> None:
    """Imported slices alone are said to be that."""
    found = ask(clusterset({"west": together(NOTHING, imported_slice("web", "east", "10.1.0.1"))}))
    assert found.cause == "west holds imported EndpointSlices of test/web, but no cluster holds its ServiceImport"


def test_an_import_that_cannot_be_used() -> None:
    """A ServiceImport of an unknown type is named, with what is wrong in it."""
    broken = service_import("web").replace("ClusterSetIP", "ExternalName")
    found = ask(clusterset({"west": together(NOTHING, broken)}))
    assert found.cause == (
        "the ServiceImport test/web in west cannot be used: spec.type is 'ExternalName'; expected ClusterSetIP or Headless"
    )
    assert [one.reason for one in found.omissions] == ["bad-type"]
    assert [ref.note for ref in found.objects] == ["cannot be used"]


def test_an_import_with_a_dotted_name() -> None:
    """A ServiceImport whose name is no label owns no name; who asks for it is told so."""
    found = ask(clusterset({"west": together(NOTHING, service_import("v2.web"))}), "v2.web.test.svc.clusterset.local")
    assert "the ServiceImport test/v2.web in west cannot be used" in found.cause
    assert [one.reason for one in found.omissions] == ["bad-name"]


def test_the_view_has_no_such_cluster() -> None:
    """Whatever the name, the view's own cluster comes first."""
    mirrors = clusterset({"west": NOTHING})
    assert ask(mirrors, view="north").cause == "no watched cluster is named north, whose view this is"
    assert "named north" in ask(mirrors, "test.svc.clusterset.local", view="north").cause


def test_the_views_cluster_is_not_heard() -> None:
    """An optional cluster that is left out has an empty view of its own."""
    found = ask(clusterset({"west": None, "east": service_import("web", ips=["10.1.1.1"])}))
    assert (found.outcome, found.cause) == ("NXDOMAIN", "west, whose view this is, has not been heard yet")
    assert "west has not been heard: nothing of it is in this answer" in found.hints


def test_the_views_cluster_id_is_taken() -> None:
    """Of two clusters with one id the second does not count, and neither does its view."""
    web = service_import("web", ips=["10.1.1.1"])
    mirrors = clusterset({"east": together(web, cluster_property("c1")), "west": together(web, cluster_property("c1"))})
    found = ask(mirrors)
    assert found.cause == "west, whose view this is, does not count: its cluster id c1 belongs to east"
    assert [(one.reason, one.cluster) for one in found.omissions] == [("duplicate-cluster-id", "west")]
    assert ask(mirrors, view=None).outcome == "NOERROR"


def test_only_a_cluster_that_does_not_count_has_it() -> None:
    """It is not said that no cluster holds the service, where one does and is refused."""
    mirrors = clusterset(
        {
            "west": together(NOTHING, cluster_property("c1")),
            "east": together(service_export("web"), cluster_property("c1")),
        }
    )
    found = ask(mirrors)
    assert found.cause == "only east says anything of test/web, and does not count: another cluster has its cluster id"
    assert [(one.reason, one.cluster) for one in found.omissions] == [("duplicate-cluster-id", "east")]


def test_nothing_is_said_of_clusters_that_are_not_heard() -> None:
    """An optional cluster that is left out may hold the service all the same."""
    found = ask(clusterset({"west": NOTHING, "east": None}))
    assert found.cause.startswith("no cluster that has been heard holds a ServiceImport")


@pytest.mark.parametrize("name", [WEB, "test.svc.clusterset.local", "foo.clusterset.local"])
def test_a_cluster_that_is_not_heard_comes_first(name: str) -> None:
    """In the zone, not found, and not every cluster heard: SERVFAIL, which names the clusters; what is known is a hint."""
    found = ask(clusterset({"west": "", "east": None}), name, complete=False)
    assert (found.outcome, found.rule) == ("SERVFAIL", Rule.INCOMPLETE)
    assert found.cause == "the name is not found, and may be in a cluster that has not been heard whole: east"
    assert found.hints


def test_a_cluster_that_is_less_than_whole_keeps_negatives_back() -> None:
    """A cluster of which something could not be read is named like one that was not heard."""
    mirrors = clusterset({"west": NOTHING, "east": None})
    hear(mirrors[1], NOTHING, whole=False)
    assert ask(mirrors, complete=False).cause.endswith("has not been heard whole: east")
    assert "east could not be read whole" in ask(mirrors).hints[-1]


def test_found_although_a_cluster_is_not_heard() -> None:
    """What is found is answered; a hint says that there may be more."""
    found = ask(clusterset({"west": service_import("web", ips=["10.1.1.1"]), "east": None}), complete=False)
    assert (found.outcome, found.hints) == ("NOERROR", ("east has not been heard: nothing of it is in this answer",))


def test_a_view_that_was_published_before_the_last_cluster_was_heard() -> None:
    """Between the last list and its publishing, the explanation does not invent a cluster."""
    assert "when this view was published" in ask(clusterset({"west": NOTHING}), complete=False).cause


def headless(*slices: str, clusters: Sequence[str] = ()) -> str:
    return together(service_import("web", headless=True, clusters=clusters), *slices)


def test_headless_without_a_slice() -> None:
    """No EndpointSlice at all."""
    found = ask(clusterset({"west": headless()}))
    assert found.rule == Rule.NOT_READY
    assert found.cause.endswith("no ready endpoint in any cluster: there is no EndpointSlice of it")


def test_headless_with_empty_slices() -> None:
    """An EndpointSlice without endpoints leaves nothing out."""
    found = ask(clusterset({"west": headless(imported_slice("web", "east"))}))
    assert found.cause.endswith("its EndpointSlices are empty")


def test_headless_with_slices_that_do_not_count() -> None:
    """Native slices of a cluster that does not export, and slices that are outranked by empty ones."""
    mirrors = clusterset(
        {
            "west": headless(imported_slice("web", "east")),
            "east": together(service_export("web"), native_slice("web", "10.1.0.1")),
            "north": native_slice("web", "10.3.0.1"),
        }
    )
    found = ask(mirrors)
    assert found.outcome == "NXDOMAIN"
    assert found.cause.endswith(
        "left out: 1 slice of a cluster that does not export the service, 1 slice that is outranked"
    )
    assert {(one.reason, one.cluster) for one in found.omissions} == {("not-exported", "north"), ("outranked", "east")}


def test_only_malformed_endpoints() -> None:
    """Bad addresses are counted by their reason."""
    bad = imported_slice("web", "east", "10.1.0.300", "10.1.0", "10.1.0.1 !ready")
    found = ask(clusterset({"west": headless(bad)}))
    assert found.cause.endswith("left out: 2 with an address that is none, 1 not ready")


def test_a_cluster_whose_endpoints_are_all_left_out() -> None:
    """Only what is left out of the cluster that was asked for is counted."""
    mirrors = clusterset(
        {
            "west": headless(
                imported_slice("web", "east", "web-0=10.1.0.1 !ready", "10.1.0.2 !ready"),
                imported_slice("web", "north", "web-0=10.3.0.1", "web-1=10.3.0.2 !ready"),
            )
        }
    )
    found = ask(mirrors, f"web-0.east.{WEB}")
    assert found.cause == "no endpoint of test/web in east is ready and has a host name; left out: 2 not ready"
    assert "not ready" in ask(mirrors, f"web-1.north.{WEB}").cause


def test_an_endpoint_that_is_not_ready_is_found_by_its_address() -> None:
    """An endpoint without hostname that is not ready is known by the name that it would have."""
    slices = (
        imported_slice("web", "east", "10.1.0.1", "10.1.0.2 !ready"),
        imported_slice("web", "east", "2001:db8::1", "2001:db8:: !ready", name="six"),
    )
    mirrors = clusterset({"west": headless(*slices)})
    for host in ("10-1-0-2", "2001-db8--0"):
        assert ask(mirrors, f"{host}.east.{WEB}").cause == f"the endpoint {host} of test/web in east is not ready"


def test_slices_that_name_no_source_cluster() -> None:
    """Their addresses count at the service's name; no cluster id and no host name comes of them."""
    mirrors = clusterset({"west": headless(imported_slice("web", None, "web-0=10.1.0.1", ports=["http 80/TCP"]))})
    assert "1 ready address in a cluster that is not named" in ask(mirrors).cause
    found = ask(mirrors, f"web-0.east.{WEB}")
    assert "some EndpointSlices name no source cluster: their addresses count, but get no host names" in found.hints
    assert [one.reason for one in found.omissions] == ["no-source-cluster"]
    assert (
        ask(mirrors, rr_type="SRV").cause
        == "test/web has ports, but no endpoint with a host name that SRV could point to"
    )
    found = ask(mirrors, f"_http._tcp.{WEB}", "SRV")
    assert found.cause == (
        "the port http/tcp of test/web has no SRV name: no endpoint has a host name that it could point to"
    )


def test_hostnames_that_are_no_labels() -> None:
    """The address stays; the cluster's name below the service does not exist, and the omission says why."""
    found = ask(clusterset({"west": headless(imported_slice("web", "east", "a.b=10.1.0.1"))}), f"east.{WEB}")
    assert (found.outcome, found.rule) == ("NXDOMAIN", Rule.HOST)
    assert found.cause == "no endpoint of test/web in east is ready and has a host name"
    assert [one.reason for one in found.omissions] == ["bad-hostname"]


def test_the_configured_name_is_not_the_cluster_id() -> None:
    """Who uses the name in the configuration is told the cluster id."""
    mirrors = clusterset(
        {
            "west": headless(),
            "island": together(cluster_property("c1.reg1"), service_export("web"), native_slice("web", "a=10.1.0.1")),
        }
    )
    found = ask(mirrors, f"a.island.{WEB}")
    assert "the cluster that the configuration names island has the cluster id c1.reg1" in found.hints
    assert "cluster ids with hosts of the service: c1.reg1" in found.hints
    assert f"a host of that name is at: a.c1.reg1.{WEB}." in found.hints


def test_a_dotted_cluster_id() -> None:
    """Both of its labels exist without records; half of it names no cluster."""
    mirrors = clusterset({"west": headless(imported_slice("web", "c1.reg1", "web-0=10.1.0.1"))})
    assert ask(mirrors, f"web-0.c1.reg1.{WEB}").outcome == "NOERROR"
    both, last = ask(mirrors, f"c1.reg1.{WEB}"), ask(mirrors, f"reg1.{WEB}")
    assert (both.outcome, both.rule) == ("NODATA", Rule.CLUSTER_ID)
    assert (last.outcome, last.rule) == ("NODATA", Rule.EMPTY_NON_TERMINAL)
    assert last.hints == ("cluster ids that end in it: c1.reg1",)
    half = ask(mirrors, f"web-0.c1.{WEB}")
    assert (half.outcome, half.rule) == ("NXDOMAIN", Rule.HOST)
    assert "cluster ids with hosts of the service: c1.reg1" in half.hints


def test_a_host_name_that_is_a_cluster_id() -> None:
    """A host whose name is another cluster's id owns nothing, and the omission says so."""
    mirrors = clusterset(
        {"west": headless(imported_slice("web", "b", "a=10.1.0.1"), imported_slice("web", "a.b", "web-0=10.2.0.1"))}
    )
    found = ask(mirrors, f"a.b.{WEB}")
    assert (found.outcome, found.rule) == ("NODATA", Rule.CLUSTER_ID)
    assert [(one.reason, one.cluster) for one in found.omissions] == [("name-taken", "west")]


def test_export_conflicts_and_imports_that_differ_are_left_out_aloud() -> None:
    """Whose word counts where clusters disagree stands among the omissions."""
    conflict = [{"type": "Conflict", "status": "True", "message": "types differ"}]
    mirrors = clusterset(
        {
            "west": service_import("web", ips=["10.1.1.1"], ports=["http 80/TCP"]),
            "east": together(
                service_import("web", ips=["10.2.2.2"], ports=["http 8080/TCP"]),
                service_export("web", conditions=conflict),
            ),
        }
    )
    found = ask(mirrors)
    assert {one.reason for one in found.omissions} == {"import-differs", "export-conflict"}


def test_ports_without_a_possible_name() -> None:
    """A port whose name is no label has a number, and the omission says why it has no name."""
    mirrors = clusterset({"west": service_import("web", ips=["10.1.1.1"], ports=["a_b 80/TCP"])})
    found = ask(mirrors, f"_a_b._tcp.{WEB}", "SRV")
    assert found.cause == "the port a_b/tcp of test/web has no SRV name: what was left out says why"
    assert [(one.reason, one.cluster) for one in found.omissions] == [("bad-port", "west")]


def test_slices_of_another_address_type() -> None:
    """An FQDN slice is refused whole, and counted where no endpoint is left."""
    fqdn = endpoint_slice("names", {"multicluster.kubernetes.io/service-name": "web"}, ["a.example.com"], family="FQDN")
    assert ask(clusterset({"west": headless(fqdn)})).cause.endswith("left out: 1 slice of another address type")


def test_more_clusters_than_fit_into_a_sentence() -> None:
    """Lists are cut where nobody would read on."""
    names = [f"c{number:02}" for number in range(30)]
    mirrors = clusterset({"west": NOTHING} | {name: service_export("web") for name in names})
    assert "c08, c09 and 20 more" in ask(mirrors).cause


@pytest.mark.parametrize(
    ("name", "problem"), [("", "empty"), ("a..b", "0 octets"), ("a" * 64, "64 octets"), ("ä.b", "ASCII")]
)
def test_a_name_that_is_none(name: str, problem: str) -> None:
    """What cannot be read is said in words for the one who typed it."""
    with pytest.raises(ValueError, match=problem):
        ask(clusterset({"west": NOTHING}), name)
