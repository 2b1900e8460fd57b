{{- define "loki.selector" -}}
app.kubernetes.io/name: loki
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "loki.labels" -}}
helm.sh/chart: loki-18.11.0
{{ include "loki.selector" . }}
app.kubernetes.io/version: "3.7.6"
{{- end }}

{{- define "loki.config" -}}
auth_enabled: {{ .Values.loki.auth_enabled }}
common:
  path_prefix: /var/loki
  {{- toYaml .Values.loki.commonConfig | nindent 2 }}
  storage: {filesystem: {chunks_directory: /var/loki/chunks, rules_directory: /var/loki/rules}}
server:
  {{- toYaml .Values.loki.server | nindent 2 }}
schema_config:
  {{- toYaml .Values.loki.schemaConfig | nindent 2 }}
ingester:
  {{- toYaml .Values.loki.ingester | nindent 2 }}
limits_config:
  {{- toYaml .Values.loki.limits_config | nindent 2 }}
compactor:
  {{- toYaml .Values.loki.compactor | nindent 2 }}
analytics:
  {{- toYaml .Values.loki.analytics | nindent 2 }}
{{- end }}
