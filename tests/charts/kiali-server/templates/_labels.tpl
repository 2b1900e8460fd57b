{{- define "kiali.selector" -}}
app.kubernetes.io/name: kiali
app.kubernetes.io/instance: {{ .Values.deployment.instance_name }}
{{- end }}

{{- define "kiali.labels" -}}
helm.sh/chart: kiali-server-2.29.0
app: kiali
{{ include "kiali.selector" . }}
version: v2.29.0
app.kubernetes.io/version: v2.29.0
app.kubernetes.io/part-of: kiali
{{- end }}

{{- define "kiali.config" -}}
auth:
  strategy: {{ .Values.auth.strategy | default "token" }}
deployment:
  {{- toYaml .Values.deployment | nindent 2 }}
external_services:
  {{- toYaml .Values.external_services | nindent 2 }}
login_token:
  signing_key: {{ .Values.login_token.signing_key }}
server:
  {{- toYaml .Values.server | nindent 2 }}
{{- end }}

{{- define "kiali.role" -}}
{{ .Values.deployment.instance_name }}{{ if or .Values.deployment.view_only_mode (ne .Values.auth.strategy "anonymous") }}-viewer{{ end }}
{{- end }}
