"""
From what was seen to what is said of it. Pure.

| link       | holds when                                                                            | judged in |
|------------|---------------------------------------------------------------------------------------|-----------|
| api        | the cluster serves ServiceImports                                                     | `wires`   |
| service    | mcsdns's Service has port 53 over UDP and TCP                                         | `wires`   |
| mcsdns     | it answers for the zone, asked directly, over UDP and TCP                             | `answers` |
| clusters   | it follows every cluster that it watches                                              | `answers` |
| replicas   | they hold the same                                                                    | `answers` |
| stub block | what serves DNS in the cluster sends the zone to mcsdns                               | `wires`   |
| resolver   | asked as a pod asks, the zone is answered over UDP and TCP                            | `answers` |
| namespace  | the namespace of the name exists                                                      | `named`   |
| the links of `mcsdns explain` | the name has records                                               | `named`   |
| cache      | a cache in front says what mcsdns says                                                | `named`   |

Rules:
1. The order is from what others depend on to what depends on it: the first broken link is the one to mend first.
"""

from __future__ import annotations

from msgspec import Struct

from mcsdns.admin.explain import Explanation
from mcsdns.doctor import answers, named, wires
from mcsdns.doctor.facts import Facts, Unseen
from mcsdns.doctor.finding import Finding


class Report(Struct, frozen=True, kw_only=True):
    """
    What `mcsdns doctor` found. As JSON it has these keys.

    Args:
        ok: No link is broken.
        zone: Of which zone.
        findings: In the order of the links.
        unseen: What could not be looked at.
        explanation: Of the name that does not resolve, or None.
    """

    ok: bool
    zone: str
    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]
    explanation: Explanation | None = None

    @property
    def broken(self) -> Finding | None:
        """The first broken link, or None."""
        return next((finding for finding in self.findings if finding.state == "broken"), None)


def judge(facts: Facts) -> Report:
    """Judge everything that was seen."""
    parts = (
        wires.cluster,
        answers.servers,
        answers.clusters,
        answers.replicas,
        wires.stubs,
        answers.resolvers,
        named.name,
    )
    findings = tuple(finding for part in parts for finding in part(facts))
    return Report(
        ok=all(finding.state != "broken" for finding in findings),
        zone=facts.plan.zone,
        findings=findings,
        unseen=facts.unseen,
        explanation=facts.explanation,
    )
