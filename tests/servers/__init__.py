"""
The real peers of mcsdns, for tests and benchmarks: Kubernetes API servers, CoreDNS, NSD and Knot as plain processes.

Rules:

1. Everything is pinned: the Go programs by `go.mod` and `go.sum` of their folders, the others by the Debian release.
2. A server listens on 127.0.0.1 alone, on a port that was free, and is ended by its process id.
3. A wait has a deadline and, when it passes, an error that shows the end of the server's log.

`build` makes the binaries, `run` holds what a test imports. Not here: pytest, and anything that misbehaves on purpose.
"""
