{{/*
Who may take writes. A failover by hand decides it, so it belongs to the cluster and not to helm: what the ConfigMap says stays.
*/}}
{{- define "database.primary" -}}
{{- $live := lookup "v1" "ConfigMap" .Release.Namespace "postgresql-primary" -}}
{{- $primary := dig "data" "primary" "postgresql-0" $live -}}
{{- $ordinal := trimPrefix "postgresql-" $primary | int -}}
{{- if ge $ordinal (int .Values.postgresql.replicas) -}}
{{- fail (printf "postgresql.replicas is %d, which would remove the primary, %s. Fail over to postgresql-0 first: docs/runbooks/database_failover.md" (int .Values.postgresql.replicas) $primary) -}}
{{- end -}}
{{- $primary -}}
{{- end }}

{{/*
When the role saw this cluster's database for the first time; empty if it never did. An empty volume becomes a new database only then.
*/}}
{{- define "database.initialised" -}}
{{- dig "data" "initialised" "" (lookup "v1" "ConfigMap" .Release.Namespace "postgresql-primary") -}}
{{- end }}
