#!/bin/sh
# Prints a kubeconfig for mcsdns, from the Secret mcsdns-token of the cluster that kubectl talks to (docs/deploy.md).
#   kubeconfig.sh NAME [SERVER]     the cluster's name in the file; the URL of its API server, where pods reach it by another than you do
set -eu
name=$1
secret() { kubectl -n kube-system get secret mcsdns-token -o "jsonpath={.data.$1}"; }
server=${2:-$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')}
tries=0
until token=$(secret token | base64 -d) && [ -n "$token" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 30 ]; then
    echo "kubeconfig.sh: the Secret kube-system/mcsdns-token has had no token for 30 s; see docs/deploy.md" >&2
    exit 1
  fi
  sleep 1
done
cat <<END
apiVersion: v1
kind: Config
current-context: $name
clusters:
- name: $name
  cluster:
    server: $server
    certificate-authority-data: $(secret 'ca\.crt')
users:
- name: mcsdns
  user:
    token: $token
contexts:
- name: $name
  context:
    cluster: $name
    user: mcsdns
END
