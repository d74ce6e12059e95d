"""What quotas have to do with a name that is not found, or not whole."""

from __future__ import annotations

from collections.abc import Mapping

from mcsdns.admin.explain import Explanation, explain
from mcsdns.admin.explain.rules import Rule
from mcsdns.clusterset.model import View
from mcsdns.source.events import Resource
from mcsdns.source.quota import Quota
from mcsdns.source.refusals import Refusal
from tests.clustersets import OPTIONS, clusterset
from tests.manifests import imported_slice, service_import, together

IMPORTS = Refusal("west", Resource.SERVICE_IMPORTS, Quota.NAMES, 20_000, 3_000, ("test/web", "test/db"))
SLICES = Refusal("east", Resource.ENDPOINT_SLICES, Quota.ENDPOINTS, 200_000, 1, ("test/hl-abc",))
WEST = together(
    service_import("hl", headless=True),
    imported_slice("hl", "west", "a=10.1.0.1"),
    service_import("ip", ips=["10.9.9.9"]),
)


def ask(
    name: str,
    *refusals: Refusal,
    held: Mapping[str, str] | None = None,
    view: str | None = "west",
    complete: bool = True,
) -> Explanation:
    mirrors = clusterset(held or {"west": WEST, "east": ""})
    return explain(
        f"{name}.svc.clusterset.local", "A", View(view), mirrors, OPTIONS, complete=complete, refusals=refusals
    )


def test_an_import_that_is_known_by_name() -> None:
    """It is the cause, by name; what else could be said is a hint."""
    found = ask("web.test", IMPORTS)
    assert (found.outcome, found.rule) == ("NXDOMAIN", Rule.QUOTA.value)
    assert found.cause == "west refuses the ServiceImport test/web by the quota names=20000"
    assert found.hints[0].startswith("no cluster holds a ServiceImport")


def test_an_import_that_may_be_among_them() -> None:
    """Of most the names are not kept: then it is said how many there are, and that this may be one of them."""
    found = ask("other.test", IMPORTS)
    assert found.cause == "west refuses 3,000 ServiceImports by the quota names=20000; this may be one of them"
    assert ask("other.elsewhere", IMPORTS).rule == Rule.QUOTA.value


def test_nothing_is_said_where_it_is_another() -> None:
    """Where all are known by name and this is none of them, where the view is of another cluster, where the name is not a service's."""
    few = Refusal("west", Resource.SERVICE_IMPORTS, Quota.NAMES, 2, 1, ("test/web",))
    assert ask("other.test", few).rule == Rule.NOT_IMPORTED.value
    assert ask("web.test", few, view="east", held={"west": "", "east": WEST}).rule == Rule.NOT_IMPORTED.value
    assert ask("web.test", few, view=None).rule == Rule.QUOTA.value
    assert ask("web.test", SLICES).rule == Rule.NOT_IMPORTED.value


def test_a_host_of_which_the_slice_may_be_refused() -> None:
    """Below a service that exists it may be the slices; an address of a ClusterSetIP service never depends on them."""
    text = "east refuses 1 EndpointSlice by the quota endpoints=200000; endpoints of this service may be missing"
    assert ask("b.west.hl.test", SLICES).cause == text
    assert ask("hl.test", SLICES).hints == (text,)
    assert ask("ip.test", SLICES).hints == ()


def test_an_incomplete_zone_comes_first() -> None:
    """While a cluster has not been heard, that is the cause, and the quota a hint."""
    found = ask("web.test", IMPORTS, complete=False)
    assert (found.outcome, found.rule) == ("SERVFAIL", Rule.INCOMPLETE.value)
    assert found.hints[0] == "west refuses the ServiceImport test/web by the quota names=20000"
