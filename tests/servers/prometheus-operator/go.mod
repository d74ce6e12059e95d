// Names the module whose folder example/prometheus-operator-crd holds the CRDs of ServiceMonitor, PodMonitor and PrometheusRule. Nothing is built of it.
module mcsdns.test/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
