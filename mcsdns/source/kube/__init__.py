"""
Member clusters' API servers as a source: list and watch.

```
 credentials ─► link ─► client ─► reflector ─► teller ─► sink
 (files, exec)  (now)   (HTTP)     ▲    │      (events)
                                   │    ▼
                                  watch.step (what to do next; pure)
```

Rules: each server is asked as little as possible and never in a loop; what it says wrongly never empties the zone; what it
holds is told again and again until it is right (`watch`, `backoff`).

Not here: what the objects mean (`mcsdns.clusterset`).

Source: Kubernetes API concepts, "Efficient detection of changes"; client-go, `tools/cache/reflector.go`.
"""
