{{- define "server.selector" -}}
app.kubernetes.io/component: server
app.kubernetes.io/name: prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "server.labels" -}}
{{ include "server.selector" . }}
app.kubernetes.io/version: v3.14.0
helm.sh/chart: prometheus-29.27.0
app.kubernetes.io/part-of: prometheus
{{- end }}

{{- define "alertmanager.selector" -}}
app.kubernetes.io/name: alertmanager
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "alertmanager.labels" -}}
helm.sh/chart: alertmanager-1.42.0
{{ include "alertmanager.selector" . }}
app.kubernetes.io/version: v0.34.0
app.kubernetes.io/managed-by: Helm
{{- end }}

{{- define "state.selector" -}}
app.kubernetes.io/name: kube-state-metrics
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "state.labels" -}}
helm.sh/chart: kube-state-metrics-8.4.0
app.kubernetes.io/managed-by: Helm
app.kubernetes.io/component: metrics
app.kubernetes.io/part-of: kube-state-metrics
{{ include "state.selector" . }}
app.kubernetes.io/version: "2.20.0"
{{- with (index .Values "kube-state-metrics").customLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "node.selector" -}}
app.kubernetes.io/name: prometheus-node-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "node.labels" -}}
helm.sh/chart: prometheus-node-exporter-4.56.1
app.kubernetes.io/managed-by: Helm
app.kubernetes.io/component: metrics
app.kubernetes.io/part-of: prometheus-node-exporter
{{ include "node.selector" . }}
app.kubernetes.io/version: "1.12.1"
{{- end }}
