"""
DNS messages: parse a query, render the answer.

```
query ──► query.parse ──► Query ──► answer.respond ──► Reply ──► Reply.octets(id, turn) ──► message
           names, edns, tsig          zone snapshot     reply.compose
```

`answer.answer` is the whole of it: one pure function of the query, the transport, the snapshot and the turn. It is the
specification that both planes are held to, octet for octet.

Not here: sockets, clocks, randomness, logging, and where the zone comes from.
"""
