{{/* What objects are called: the release, with the chart's name where it is not in it already. */}}
{{- define "mcsdns.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end -}}

{{/* What the pods of a release are found by. */}}
{{- define "mcsdns.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mcsdns.labels" -}}
{{ include "mcsdns.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The member clusters, whatever the mode: a list of objects as in `members`, as JSON with the one key `list`. */}}
{{- define "mcsdns.members" -}}
{{- if eq .Values.mode "central" -}}
{{- if not .Values.members }}{{ fail "mode central needs `members`: the clusters that are watched" }}{{ end -}}
{{- $ports := dict -}}{{- $names := dict -}}
{{- range .Values.members -}}
{{- $port := toString .port -}}
{{- if hasKey $ports $port }}{{ fail (printf "members: %s and %s have the same port %s; each has one of its own" (get $ports $port) .name $port) }}{{ end -}}
{{- if hasKey $names .name }}{{ fail (printf "members: the name %s stands twice" .name) }}{{ end -}}
{{- if eq (empty .secret) (not .inCluster) }}{{ fail (printf "members: %s needs either `secret` or `inCluster: true`" .name) }}{{ end -}}
{{- $_ := set $ports $port .name -}}{{- $_ := set $names .name true -}}
{{- end -}}
{{- dict "list" .Values.members | toJson -}}
{{- else -}}
{{- if .Values.members }}{{ fail "`members` are for mode central; mode in-cluster watches its own cluster" }}{{ end -}}
{{- dict "list" (list (dict "name" .Values.cluster.name "id" .Values.cluster.id "inCluster" true "port" 5353)) | toJson -}}
{{- end -}}
{{- end -}}

{{/* Whether the pod's own service account is used: `true` or nothing. */}}
{{- define "mcsdns.readsOwnCluster" -}}
{{- range (include "mcsdns.members" . | fromJson).list }}{{ if .inCluster }}true{{ end }}{{ end -}}
{{- end -}}

{{/* mcsdns's configuration. */}}
{{- define "mcsdns.config" -}}
{{- $members := (include "mcsdns.members" . | fromJson).list -}}
{{- $wildcard := dict "IPv4" "0.0.0.0" "IPv6" "[::]" -}}
{{- $listen := list -}}{{- $clusters := list -}}
{{- range $member := $members -}}
{{- range $.Values.ipFamilies -}}
{{- $listen = append $listen (dict "address" (printf "%s:%v" (get $wildcard .) $member.port) "view" $member.name) -}}
{{- end -}}
{{- $cluster := dict "name" $member.name -}}
{{- if $member.inCluster -}}
{{- $_ := set $cluster "in_cluster" true -}}
{{- else -}}
{{- $kubeconfig := dict "path" (printf "/etc/mcsdns-members/%s/kubeconfig" $member.name) -}}
{{- if $member.context }}{{ $_ := set $kubeconfig "context" $member.context }}{{ end -}}
{{- $_ := set $cluster "kubeconfig" $kubeconfig -}}
{{- end -}}
{{- if $member.id }}{{ $_ := set $cluster "id" $member.id }}{{ end -}}
{{- if $member.optional }}{{ $_ := set $cluster "optional" true }}{{ end -}}
{{- $clusters = append $clusters $cluster -}}
{{- end -}}
{{- $own := dict "zone" .Values.zone "listen" $listen "admin" (printf "%s:9153" (get $wildcard (first .Values.ipFamilies))) "threads" .Values.threads "lameduck_s" .Values.lameduckSeconds "clusters" $clusters -}}
{{- if and .Values.service.clusterIP (eq .Values.mode "in-cluster") }}{{ $_ := set $own "advertise" (list .Values.service.clusterIP) }}{{ end -}}
{{- range $key, $_ := .Values.config -}}
{{- if hasKey $own $key }}{{ fail (printf "config: the key %s is made by the chart from other values" $key) }}{{ end -}}
{{- end -}}
{{- merge $own .Values.config | toYaml -}}
{{- end -}}
