{{- define "restaurant-app.labels" -}}
app: {{ .name }}
app.kubernetes.io/name: {{ .name }}
{{ include "restaurant-app.releaseLabels" .root }}
{{- end }}

{{- define "restaurant-app.releaseLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: restaurant-app
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/*
A service with the defaults. Key by key and not with `merge`, which takes 0 and false for "not set":
weights {v1: 0, v2: 100} would come out as 100 and 100.
*/}}
{{- define "restaurant-app.service" -}}
{{- $service := deepCopy .root.Values.defaults -}}
{{- range $key, $value := index .root.Values.services .name }}{{ $_ := set $service $key $value }}{{ end -}}
{{- $_ := set $service "containerPort" (default $service.port $service.containerPort) -}}
{{- toYaml $service -}}
{{- end }}

{{- define "restaurant-app.image" -}}
{{- $image := .root.Values.image -}}
{{- $own := default dict .service.image -}}
{{- $repository := default (list $image.prefix .name | compact | join "/") $own.repository -}}
{{- $tag := coalesce $own.tag $image.tag .root.Chart.AppVersion -}}
{{- $separator := ternary "@" ":" (hasPrefix "sha256:" $tag) -}}
{{- list $image.registry $repository | compact | join "/" }}{{ $separator }}{{ $tag }}
{{- end }}

{{/* The names of the services that call this one, as JSON: {"callers": [...]} */}}
{{- define "restaurant-app.callers" -}}
{{- $callers := list -}}
{{- range $caller, $service := .root.Values.services -}}
{{- if has $.name (default list $service.calls) }}{{ $callers = append $callers $caller }}{{ end -}}
{{- end -}}
{{- dict "callers" $callers | toJson -}}
{{- end }}

{{/* Not empty when the ingress gateway routes to the service. */}}
{{- define "restaurant-app.atTheEdge" -}}
{{- range .root.Values.istio.virtualService.routes }}{{ if eq .service $.name }}true{{ end }}{{ end -}}
{{- end }}

{{/*
The annotations that canaries and this chart read of each other, by the names that module canary has for them. A canary's state has
the service's name: {{ include "restaurant-app.canaryAnnotation" "order-service" }}
*/}}
{{- define "restaurant-app.canaryAnnotation" -}}
canary.service-mesh.corpv3.com/{{ . }}
{{- end }}

{{/* Tells a canary that this chart keeps what it has changed. */}}
{{- define "restaurant-app.keepsCanaries" -}}
service-mesh.corpv3.com/keeps-canaries: "true"
{{- end }}
