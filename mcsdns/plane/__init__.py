"""
What answers DNS queries on sockets, from the snapshots that are published to it. Two planes, one interface (`base.Plane`).

```
socket ──► udp / tcp ──► answers (rendered replies, tallies) ──► wire.answer ──► snapshot
```

Not here: what a message means (`mcsdns.wire`), where objects come from, HTTP.
"""
