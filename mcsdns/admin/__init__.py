"""HTTP for people and Prometheus: health, readiness, status, metrics, and why a name answers what it does. It only reads."""
