// CoreDNS of the pinned release with its stock plugins, for tests and benchmarks.
package main

import (
	_ "github.com/coredns/coredns/core/plugin"
	"github.com/coredns/coredns/coremain"
)

func main() {
	coremain.Run()
}
