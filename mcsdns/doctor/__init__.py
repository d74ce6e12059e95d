"""
`mcsdns doctor`: is everything in place between a pod that asks and mcsdns, and if not, which link is broken?

```
look (cluster, ask, admin) ──► Facts ──► judge (wires, answers, names) ──► Finding, … ──► text
```

Rules:
1. It looks and changes nothing.
2. Looking and judging are apart: `look` fills `Facts` and concludes nothing; what judges is pure, and needs nothing but `Facts`.
3. What could not be looked at is told, with the reason, and is never taken for broken.

Not here: why a name that reaches mcsdns has no records (`mcsdns.admin.explain`), and what a platform must be told
(`mcsdns.wiring`).
"""

from mcsdns.doctor.facts import Plan
from mcsdns.doctor.judge import Report, judge
from mcsdns.doctor.look import look
from mcsdns.doctor.text import text

__all__ = ["Plan", "Report", "judge", "look", "text"]
