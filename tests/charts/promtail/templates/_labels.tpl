{{- define "promtail.selector" -}}
app.kubernetes.io/name: promtail
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "promtail.labels" -}}
helm.sh/chart: promtail-6.17.1
{{ include "promtail.selector" . }}
app.kubernetes.io/version: 3.5.1
app.kubernetes.io/managed-by: Helm
{{- end }}

{{- define "promtail.config" -}}
server: {http_listen_port: 3101}
clients:
  {{- toYaml .Values.config.clients | nindent 2 }}
positions: {filename: /run/promtail/positions.yaml}
scrape_configs:
  - job_name: kubernetes-pods
    kubernetes_sd_configs: [{role: pod}]
    pipeline_stages:
      {{- toYaml .Values.config.snippets.pipelineStages | nindent 6 }}
    relabel_configs:
      {{- toYaml .Values.config.snippets.extraRelabelConfigs | nindent 6 }}
{{- end }}
