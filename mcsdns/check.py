"""
`mcsdns check`: can every cluster be reached and read, and what is there?

Rules:
1. It looks and changes nothing.
2. Every cluster is looked at, whatever the others are like, and all at once.
3. A fault is told with its fix. An error means that names will be missing or SERVFAIL; a warning, that something is not as its
   owner may think.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from mcsdns.assembly import make_kube_source
from mcsdns.clusterset.model import is_cluster_id
from mcsdns.config import Cluster, Config, Quotas
from mcsdns.errors import SourceError
from mcsdns.source.events import Resource
from mcsdns.source.files import Folder, Look
from mcsdns.source.objects import CLUSTER_ID_PROPERTY, ClusterProperty

if TYPE_CHECKING:
    from mcsdns.source.kube.probe import Probe, ResourceProbe

CERTIFICATE_DAYS = 14.0
"""Days before the end of a certificate from which on it is worth a warning: two weeks to renew it."""


class Finding(Struct, frozen=True):
    """Something that is not well, and what to do about it."""

    level: Literal["error", "warning"]
    problem: str
    fix: str


class ResourceReport(Struct, frozen=True):
    """
    One resource of a cluster.

    Args:
        resource: Which.
        served: The API versions that are there; empty for a folder.
        version: The one that is used, or None.
        allowed: The verbs that are allowed; empty for a folder.
        objects: How many there are, or None where that cannot be told.
    """

    resource: Resource
    served: tuple[str, ...]
    version: str | None
    allowed: tuple[str, ...]
    objects: int | None


class ClusterReport(Struct, frozen=True):
    """
    One cluster.

    Args:
        name: Its configured name.
        source: Where its objects come from.
        server: The version of its API server, or None.
        cluster_id: Its id.
        id_source: Where the id comes from: `configuration`, `ClusterProperty` or `name`.
        resources: What was seen of each resource.
        findings: What is not well.
        uid: The UID of its namespace kube-system, or None.
    """

    name: str
    source: str
    server: str | None
    cluster_id: str
    id_source: str
    resources: tuple[ResourceReport, ...]
    findings: tuple[Finding, ...]
    uid: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing in it is an error."""
        return all(finding.level != "error" for finding in self.findings)


class Report(Struct, frozen=True):
    """All clusters, in the order of the configuration. `ok`: no error anywhere."""

    ok: bool
    clusters: tuple[ClusterReport, ...]


async def check(config: Config, limit_s: float, checked: Callable[[], None] = lambda: None) -> Report:
    """
    Look at every cluster.

    Args:
        config: Which.
        limit_s: Seconds to wait for each.
        checked: Called after each.
    """

    async def one(cluster: Cluster) -> ClusterReport:
        report = await _check(cluster, limit_s)
        checked()
        return report

    reports = list(await asyncio.gather(*map(one, config.clusters)))
    taken: dict[str, str] = {}
    for index, report in enumerate(reports):
        first = taken.setdefault(report.cluster_id, report.name)
        if first != report.name:
            finding = Finding(
                "error",
                f"its cluster id {report.cluster_id} is that of {first} already: nothing of this cluster counts",
                "give one of the two another `id` in the configuration, or repair its ClusterProperty",
            )
            reports[index] = _with(report, finding)
    return Report(all(report.ok for report in reports), tuple(reports))


def text(report: Report) -> str:
    """Return what a person reads."""
    return "\n".join(line for cluster in report.clusters for line in _lines(cluster))


def _lines(report: ClusterReport) -> Iterator[str]:
    server = f", Kubernetes {report.server}" if report.server else ""
    uid = f", UID {report.uid}" if report.uid else ""
    verdict = "ok" if report.ok else "NOT OK"
    yield f"{report.name}: {verdict} ({report.source}{server}, cluster id {report.cluster_id} from {report.id_source}{uid})"
    for resource in report.resources:
        objects = "objects unknown" if resource.objects is None else f"{resource.objects} objects"
        if resource.version is not None:
            objects += (
                f", {resource.version} of {' '.join(resource.served)}, may {' '.join(resource.allowed) or 'nothing'}"
            )
        yield f"  {resource.resource}: {objects}"
    for finding in report.findings:
        yield f"  {finding.level}: {finding.problem}"
        yield f"    fix: {finding.fix}"


def _with(report: ClusterReport, finding: Finding) -> ClusterReport:
    return replace(report, findings=(*report.findings, finding))


async def _check(cluster: Cluster, limit_s: float) -> ClusterReport:
    if cluster.manifests is not None:
        return await _check_folder(cluster, cluster.manifests, limit_s)
    return await _check_api_server(cluster, limit_s)


def _identity(cluster: Cluster, property_id: str | None) -> tuple[str, str, list[Finding]]:
    """Return the cluster id, where it comes from, and what is odd about it (KEP-2149; design.md §4)."""
    if property_id is not None and not is_cluster_id(property_id):
        finding = Finding(
            "warning",
            f"the cluster's ClusterProperty says {property_id[:64]!r}, which is no cluster id: it does not count",
            "make it one DNS label in lower case, or two with a dot",
        )
        return (*_identity(cluster, None)[:2], [finding])
    if cluster.id is None:
        return (property_id, "ClusterProperty", []) if property_id else (cluster.name, "name", [])
    if property_id in (None, cluster.id):
        return cluster.id, "configuration", []
    finding = Finding(
        "warning",
        f"the configured id {cluster.id} counts, but the cluster's ClusterProperty says {property_id}",
        "make the two agree: host names of the cluster's pods carry the id",
    )
    return cluster.id, "configuration", [finding]


async def _check_folder(cluster: Cluster, folder: Path, limit_s: float) -> ClusterReport:
    source = f"folder {folder}"
    look: Look | None = None
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(limit_s):
            look = await asyncio.to_thread(Folder(folder, cluster.quotas.over(Quotas())).look)
    except SourceError as error:
        findings.append(Finding("error", str(error), "correct `manifests`, or make the folder readable"))
    except TimeoutError:
        findings.append(Finding("error", f"the folder could not be read within {limit_s:g} s", "raise --timeout"))
    if look is None:
        return ClusterReport(cluster.name, source, None, *_identity(cluster, None)[:2], (), tuple(findings))
    level: Literal["error", "warning"] = "warning" if look.whole else "error"
    findings += (Finding(level, f"{name}: {problem}", "correct the file") for name, problem in look.problems.items())
    counts = Counter(resource for resource, _, _ in look.objects)
    found = look.objects.get((Resource.CLUSTER_PROPERTIES, "", CLUSTER_ID_PROPERTY))
    cluster_id, id_source, odd = _identity(cluster, found.spec.value if isinstance(found, ClusterProperty) else None)
    resources = tuple(ResourceReport(resource, (), None, (), counts[resource]) for resource in Resource)
    return ClusterReport(cluster.name, source, None, cluster_id, id_source, resources, (*findings, *odd))


async def _check_api_server(cluster: Cluster, limit_s: float) -> ClusterReport:
    kubeconfig = cluster.kubeconfig
    source = "the cluster this runs in"
    if kubeconfig is not None:
        source = f"kubeconfig {kubeconfig.path}, {f'context {kubeconfig.context}' if kubeconfig.context else 'current context'}"
    try:
        async with asyncio.timeout(limit_s):
            probe = await make_kube_source(cluster).probe()
    except TimeoutError:
        probe = None
    if probe is None or not probe.is_reachable:
        problem = f"no answer within {limit_s:g} s" if probe is None else probe.problem or "not reachable"
        finding = Finding("error", problem, "see that the address, the credentials and the network let this host in")
        return ClusterReport(cluster.name, source, None, *_identity(cluster, None)[:2], (), (finding,))
    cluster_id, id_source, odd = _identity(cluster, probe.cluster_id)
    resources = tuple(
        ResourceReport(r.resource, r.served, r.version, tuple(v for v, yes in r.allowed.items() if yes), r.objects)
        for r in probe.resources
    )
    findings = (
        *_certificate_findings(probe),
        *(finding for found in probe.resources for finding in _resource_findings(found)),
        *_access_findings(probe),
        *odd,
    )
    return ClusterReport(
        cluster.name, source, probe.server_version, cluster_id, id_source, resources, findings, probe.uid
    )


def _certificate_findings(probe: Probe) -> Iterator[Finding]:
    for whose, days in (("server", probe.server_certificate_days), ("client", probe.client_certificate_days)):
        if days is not None and days < CERTIFICATE_DAYS:
            level: Literal["error", "warning"] = "error" if days < 0 else "warning"
            yield Finding(level, f"the {whose} certificate ends in {days:.1f} days", "renew it")


def _access_findings(probe: Probe) -> Iterator[Finding]:
    if probe.uid_problem is not None:
        yield Finding(
            "warning",
            f"which cluster this is cannot be told by its namespace kube-system: {probe.uid_problem}",
            "apply deploy/rbac.yaml: another cluster that takes this address is noticed then",
        )
    if probe.discovery_problem is not None:
        yield Finding(
            "warning",
            f"/apis may not be read: {probe.discovery_problem}; only the first version of each resource is tried, and of a CRD"
            " that is deleted it is not known that its objects are to be kept",
            "bind the ClusterRole system:discovery to this identity, as Kubernetes does by default",
        )


def _resource_findings(found: ResourceProbe) -> Iterator[Finding]:
    denied = [verb for verb, is_allowed in found.allowed.items() if not is_allowed]
    if denied:
        yield Finding(
            "error",
            f"{found.resource}: may not {', '.join(denied)}",
            "apply deploy/rbac.yaml and bind its role to this identity",
        )
    elif found.problem is not None:
        yield Finding("error", f"{found.resource}: {found.problem}", "see the API server's log")
    elif found.version is None and found.resource is Resource.SERVICE_IMPORTS:
        yield Finding(
            "warning",
            "the API server has no ServiceImports: nothing is imported here yet",
            "install the CRDs of the Multi-Cluster Services API, if this cluster is to consume services",
        )
