{{- define "jaeger.name" -}}
{{ .Values.fullnameOverride | default .Release.Name }}
{{- end }}

{{- define "jaeger.selector" -}}
app.kubernetes.io/name: jaeger
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: all-in-one
{{- end }}

{{- define "jaeger.labels" -}}
helm.sh/chart: jaeger-4.11.1
{{ include "jaeger.selector" . }}
app.kubernetes.io/version: 2.19.0
app.kubernetes.io/managed-by: Helm
{{- end }}
