"""How the objects of a member cluster arrive: from a Kubernetes API server, or from a folder of manifests."""
