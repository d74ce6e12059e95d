// Names the module whose folder config/crd holds the ServiceImport and ServiceExport CRDs.
package main

import _ "sigs.k8s.io/mcs-api/config/crd"

func main() {}
