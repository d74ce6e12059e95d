"""mcsdns: an authoritative DNS server for Kubernetes Multi-Cluster Services (KEP-1645)."""
