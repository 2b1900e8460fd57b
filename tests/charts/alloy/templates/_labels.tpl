{{- define "alloy.selector" -}}
app.kubernetes.io/name: alloy
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "alloy.labels" -}}
helm.sh/chart: alloy-1.11.1
{{ include "alloy.selector" . }}
app.kubernetes.io/version: v1.18.1
app.kubernetes.io/managed-by: Helm
app.kubernetes.io/part-of: alloy
{{- end }}
