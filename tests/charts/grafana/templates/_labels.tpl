{{- define "grafana.selector" -}}
app.kubernetes.io/name: grafana
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "grafana.labels" -}}
helm.sh/chart: grafana-12.11.1
{{ include "grafana.selector" . }}
app.kubernetes.io/version: 13.2.0
{{- end }}

{{- define "grafana.data" -}}
{{- with .Values.plugins }}
plugins: {{ join "," . }}
{{- end }}
grafana.ini: |
  {{- range $section, $settings := index .Values "grafana.ini" }}
  [{{ $section }}]
  {{- range $key, $value := $settings }}
  {{ $key }} = {{ $value }}
  {{- end }}
  {{- end }}
{{- range $file, $content := merge (dict) .Values.datasources .Values.dashboardProviders }}
{{ $file }}: |
  {{- toYaml $content | nindent 2 }}
{{- end }}
{{- end }}
