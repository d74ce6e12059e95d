"""
Judges what is written down in the cluster: the CRDs, the Service, and where each DNS server of it sends the zone.

| what a DNS server's configuration says of the zone             | finding                                              |
|----------------------------------------------------------------|------------------------------------------------------|
| two blocks claim it                                            | broken: CoreDNS does not load the file               |
| sends it to an address that is its own                         | broken: a loop                                       |
| of NodeLocal: sends it to the cluster's DNS                    | ok: that is judged by itself                         |
| sends it to mcsdns, and a part of it elsewhere                 | broken: which part                                   |
| sends it to mcsdns, on the port of its other blocks            | ok                                                   |
| sends it to mcsdns, on another port                            | broken: nobody asks there                            |
| sends it to another address than mcsdns's                      | broken: which, and where mcsdns is                   |
| sends it somewhere, and mcsdns's address is not known          | unknown                                              |
| has a block for it that forwards nowhere                       | broken                                               |
| no block, but one that sends another zone to mcsdns            | broken: the zones differ                             |
| no block, and something that was not understood                | unknown                                              |
| no block                                                       | broken: the zone leaks                               |
"""

from __future__ import annotations

from collections.abc import Iterator

from mcsdns.doctor.corefile import PORT, Block
from mcsdns.doctor.facts import TRANSPORTS, Facts, Nameserver, with_port
from mcsdns.doctor.finding import Finding

_LINK = "stub block"
_CLUSTER_DNS = "__PILLAR__CLUSTER__DNS__"
"""What NodeLocal DNSCache itself replaces by the address of the cluster's DNS."""


def cluster(facts: Facts) -> Iterator[Finding]:
    """Judge whether the cluster can import anything, and mcsdns's Service."""
    found = facts.cluster
    if found is None or not found.is_read:
        return
    if found.import_versions:
        says = f"ServiceImports are served: {', '.join(found.import_versions)}"
        yield Finding(link="api", state="ok", found=says, where=found.url)
    else:
        yield Finding(
            link="api",
            state="broken",
            found="the API server serves no ServiceImports: the CRDs of the Multi-Cluster Services API are not installed",
            where=found.url,
            expected="multicluster.x-k8s.io in v1beta1 or v1alpha1, without which nothing can be exported or imported here",
            fix="install the CRDs of sigs.k8s.io/mcs-api (config/crd), or the clusterset's MCS controller that brings them",
        )
    for service in found.services:
        missing = [one for one in TRANSPORTS if one not in service.protocols]
        if missing:
            yield Finding(
                link="service",
                state="broken",
                found=f"port 53 of it is not there over {' and '.join(missing)}",
                where=service.where,
                expected="port 53 over UDP and TCP",
                fix="give the Service a port 53 for each protocol, as deploy/mcsdns.yaml does",
            )


def stubs(facts: Facts) -> Iterator[Finding]:
    """Judge where each DNS server of the cluster sends the zone."""
    found = facts.cluster
    if found is None or not found.is_read:
        return
    if not found.nameservers and found.is_dns_known:
        yield Finding(
            link=_LINK,
            state="unknown",
            found="no configuration of a CoreDNS, kube-dns or NodeLocal DNSCache is found: the platform runs the DNS itself, or it has"
            " another name",
            where=found.url,
            fix="Cloud DNS for GKE: mcsdns wiring --for gke-cloud-dns; EKS Auto Mode cannot be told, see docs/wiring.md; a CoreDNS of"
            " another name: see that it has what `mcsdns wiring --for coredns` prints",
        )
    for server in found.nameservers:
        yield _Stub(facts, server).judge()


class _Stub:
    """One DNS server's configuration, and what is known of where mcsdns is."""

    def __init__(self, facts: Facts, server: Nameserver) -> None:
        assert facts.cluster is not None  # noqa: S101 - the caller has seen to it
        self._facts = facts
        self._server = server
        self._zone = facts.plan.zone
        services = [with_port(ip) for service in facts.cluster.services for ip in (*service.ips, *service.outer)]
        self._known = [*facts.plan.servers, *services, *facts.cluster.replicas]
        cluster_dns = {with_port(ip) for ip in facts.cluster.dns_ips}
        own = {asked.address for asked in facts.resolvers} | cluster_dns
        self._onward: set[str] = set()
        if server.platform == "nodelocal":
            own = {with_port(ip) for ip in server.corefile.binds}
            self._onward = {with_port(_CLUSTER_DNS), *cluster_dns} - own
        self._own = own - set(self._known)

    def judge(self) -> Finding:
        """Judge by the table of this module."""
        block = self._server.corefile.block_of(self._zone)
        targets = [_target(text) for text in block.upstreams(self._zone)] if block is not None else []
        wrong = [target for target in targets if target not in self._known]
        if self._server.corefile.has_twins(self._zone):
            return self._twins()
        if block is not None and targets and set(targets) <= self._onward:
            return self._finding("ok", f"sends {self._zone} on to the cluster's DNS")
        if block is not None and len(wrong) < len(targets):
            return self._port(block) or self._part(block) or self._ok(block, targets, wrong)
        if block is not None and self._zone in block.zones:
            return self._block(targets)
        return self._no_block()

    def _ok(self, block: Block, targets: list[str], wrong: list[str]) -> Finding:
        if wrong:
            return self._unknown(f"sends {self._zone} to {', '.join(wrong)} too, where mcsdns is not known to be")
        says = f"sends {self._zone} to mcsdns at {', '.join(targets)}"
        caches = next((" ".join(one.words[1:]) for one in block.all("cache")), None)
        says += f", keeps answers for {caches or '3600'} s at most" if caches is not None else ""
        return self._finding("ok", says)

    def _port(self, block: Block) -> Finding | None:
        main = self._server.corefile.main
        if main is None or main.port == block.port:
            return None
        says = f"answers {self._zone} on port {block.port}, where nobody asks, and everything else on {main.port}"
        return self._finding("broken", says, f"the block on port {main.port}", self._wiring())

    def _twins(self) -> Finding:
        says = f"has two blocks for {self._zone} on one port: it does not load that, goes on with what it had, and would not start"
        fix = f"leave one of them, in {self._server.where} and what it imports: that which leads to mcsdns, as in {self._wiring()}"
        return self._finding("broken", says, "one block of a zone", fix)

    def _part(self, block: Block) -> Finding | None:
        """Judge what blocks of longer zones take from a block that leads to mcsdns."""
        for zone, other in self._server.corefile.below(self._zone):
            targets = [_target(text) for text in other.upstreams(zone)]
            if other.port == block.port and not set(targets) & set(self._known):
                to = f"sends {zone} to {', '.join(targets)}" if targets else f"keeps {zone} to itself"
                says = f"{to}, in a block of its own: only the rest of {self._zone} reaches mcsdns"
                fix = f"take the block for {zone} out: the one for {self._zone} is for all of it"
                return self._finding("broken", says, self._expected(), fix)
        return None

    def _block(self, targets: list[str]) -> Finding:
        """Judge a block of the zone that does not lead to mcsdns as far as is known."""
        loop = [target for target in targets if target in self._own]
        if loop:
            says = f"sends {self._zone} back to itself at {', '.join(loop)}: a loop"
            return self._finding("broken", says, self._expected(), self._wiring())
        if not targets:
            says = f"has a block for {self._zone} that forwards nowhere"
            return self._finding("broken", says, self._expected(), self._wiring())
        if not self._known:
            return self._unknown(f"sends {self._zone} to {', '.join(targets)}, and where mcsdns is is not known")
        says = f"sends {self._zone} to {', '.join(targets)}, and mcsdns is at {', '.join(self._known[:3])}"
        if any("://" in target for target in targets):
            says = f"sends {self._zone} to {', '.join(targets)}, and mcsdns speaks plain DNS alone, at {self._known[0]}"
        return self._finding("broken", says, self._expected(), self._wiring())

    def _no_block(self) -> Finding:
        server, zone = self._server, self._zone
        for block in server.corefile.blocks:
            others = [other for other in block.zones if other and _hits(block, other, self._known)]
            if others:
                says = f"sends {', '.join(others)} to mcsdns, and has no block for {zone}"
                fix = (
                    f"write {zone} for {others[0]} in the block, or serve that zone (`zone` in mcsdns's configuration)"
                )
                return self._finding("broken", says, self._expected(), fix)
        if server.corefile.unread:
            return self._unknown(
                f"has no block for {zone} that can be seen; not understood: {'; '.join(server.corefile.unread)}"
            )
        says = f"has no block for {zone}: the zone goes where all other names go, and does not resolve"
        if server.is_immutable:
            fix = (
                "delete the ConfigMap and create it anew with the block, where the platform lets you (docs/wiring.md);"
                f" the block: {self._wiring()}"
            )
            return self._finding("broken", f"is immutable, and {says}", self._expected(), fix)
        return self._finding("broken", says, self._expected(), self._wiring())

    def _finding(self, state: str, says: str, expected: str = "", fix: str = "") -> Finding:
        server = self._server
        return Finding(
            link=_LINK,
            state="ok" if state == "ok" else "broken",
            found=f"{server.kind} {says}",
            where=server.where,
            expected=expected,
            fix=fix,
        )

    def _unknown(self, says: str) -> Finding:
        fix = "name mcsdns's address: --server ADDRESS[:PORT]" if not self._known else ""
        return Finding(
            link=_LINK, state="unknown", found=f"{self._server.kind} {says}", where=self._server.where, fix=fix
        )

    def _expected(self) -> str:
        at = f" ({', '.join(self._known[:3])})" if self._known else ""
        return f"{self._zone} is forwarded to mcsdns{at}"

    def _wiring(self) -> str:
        """Return the command that prints what should be there."""
        server, main = self._server, self._server.corefile.main
        host, _, port = (self._known[0] if self._known else "<ClusterIP of mcsdns's Service>:53").rpartition(":")
        words = ["mcsdns wiring --for", server.platform, "--service-ip", host.strip("[]")]
        words += ["--service-port", port] if int(port) != PORT and server.platform != "kube-dns" else []
        words += ["--zone", self._zone] if self._zone != "clusterset.local" else []
        if main is not None and main.port != PORT and server.platform in ("coredns", "nodelocal", "aks", "k3s"):
            words += ["--listen-port", str(main.port)]
        if server.platform == "nodelocal":
            words += [word for bind in server.corefile.binds for word in ("--bind", bind)]
        return " ".join(words)


def _hits(block: Block, zone: str, known: list[str]) -> bool:
    return any(_target(text) in known for text in block.upstreams(zone))


def _target(text: str) -> str:
    """Return an upstream of `forward` as `Facts` spells addresses; a file's name stays what it is."""
    bare = text.removeprefix("dns://")
    if bare.startswith("/") or "://" in bare:
        return bare
    if bare.startswith("["):
        host, _, port = bare[1:].partition("]")
        return with_port(host, port.removeprefix(":") or PORT)
    host, colon, port = bare.partition(":")
    return with_port(host, port) if colon and ":" not in port else with_port(bare)
