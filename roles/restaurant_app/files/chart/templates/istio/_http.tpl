{{/*
The http routes of a VirtualService, as {"http": [...]}.

Weights belong to whoever runs a canary, not to helm: a route that the cluster has already keeps its weights there, and
routes that this chart does not know (a canary's header routes) stay as they are, in front, where they were put.
With istio.resetWeights the values' weights count again and added routes go.
*/}}
{{- define "restaurant-app.http" -}}
{{- $live := list -}}
{{- if not .root.Values.istio.resetWeights -}}
{{- $live = dig "spec" "http" list (include "restaurant-app.liveVirtualService" . | fromJson) -}}
{{- end -}}
{{- $ownNames := list -}}
{{- $http := list -}}
{{- range $route := .routes -}}
{{- $ownNames = append $ownNames $route.name -}}
{{- $weights := include "restaurant-app.weights" (dict "root" $.root "route" $route "live" $live) | fromJson -}}
{{- $http = append $http (include "restaurant-app.route" (dict "root" $.root "route" $route "weights" $weights) | fromYaml) -}}
{{- end -}}
{{- $added := list -}}
{{- range $live -}}
{{- if and .name (not (has .name $ownNames)) }}{{ $added = append $added . }}{{ end -}}
{{- end -}}
{{- dict "http" (concat $added $http) | toYaml -}}
{{- end }}

{{/*
`lookup` fails on a kind that the cluster does not know, which is so in a check run before Istio is there. Of the two ways to
ask, the first needs no rights but is blind in `helm template`.
*/}}
{{- define "restaurant-app.liveVirtualService" -}}
{{- $live := dict -}}
{{- if or (.root.Capabilities.APIVersions.Has "networking.istio.io/v1/VirtualService") (lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "virtualservices.networking.istio.io") -}}
{{- $live = lookup "networking.istio.io/v1" "VirtualService" .root.Release.Namespace .name -}}
{{- end -}}
{{- toJson $live -}}
{{- end }}

{{/* The weight of each subset: the cluster's, where it has this route with these subsets, else the values'. */}}
{{- define "restaurant-app.weights" -}}
{{- $service := include "restaurant-app.service" (dict "root" .root "name" .route.service) | fromYaml -}}
{{- $total := 0 -}}
{{- range $service.weights }}{{ $total = add $total . }}{{ end -}}
{{- if ne (int $total) 100 -}}
{{- fail (printf "services.%s.weights must sum to 100, but %s sum to %d" .route.service (toJson $service.weights) (int $total)) -}}
{{- end -}}
{{- $weights := $service.weights -}}
{{- range $route := .live -}}
{{- if eq (default "" $route.name) $.route.name -}}
{{- $found := dict -}}
{{- $sum := 0 -}}
{{- $unsaid := ternary 100 0 (eq (len $route.route) 1) -}}
{{- range $route.route -}}
{{- $subset := default "" .destination.subset -}}
{{- if hasKey $service.weights $subset -}}
{{- $weight := int (default $unsaid .weight) -}}
{{- $sum = add $sum $weight -}}
{{- $_ := set $found $subset $weight -}}
{{- end -}}
{{- end -}}
{{- if eq (int $sum) 100 }}{{ $weights = $found }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $complete := dict -}}
{{- range $subset, $_ := $service.weights }}{{ $_ := set $complete $subset (int (default 0 (index $weights $subset))) }}{{ end -}}
{{- toJson $complete -}}
{{- end }}

{{- define "restaurant-app.route" -}}
{{- $service := include "restaurant-app.service" (dict "root" .root "name" .route.service) | fromYaml -}}
name: {{ .route.name }}
{{- with .route.match }}
match:
  {{- toYaml . | nindent 2 }}
{{- end }}
route:
  {{- range $subset, $weight := .weights }}
  - destination:
      host: {{ $.route.service }}
      port:
        number: {{ $service.port }}
      subset: {{ $subset }}
    weight: {{ $weight }}
  {{- end }}
{{- with $service.timeout }}
timeout: {{ . }}
{{- end }}
{{- with $service.retries }}
retries:
  {{- /* Istio refuses to hear how to retry from a route that does not. */}}
  {{- eq (int .attempts) 0 | ternary (dict "attempts" 0) . | toYaml | nindent 2 }}
{{- end }}
{{- end }}
