{{/*
A service has two slots, the DestinationRule's subsets, each with a Deployment from the first day. The one with all the weight is
stable; in the other one, without pods while idle, the next canary runs. What a canary has decided belongs to the cluster, not to
helm: weights, images, numbers of pods and what the autoscaler looks after are taken from there.

As JSON {"slots": [{"subset", "workload", "replicas", "declared", "decided"}]}.
`decided` is the image that a canary put in the place of the declared one; it counts until another one is declared.
*/}}
{{- define "restaurant-app.slots" -}}
{{- $service := include "restaurant-app.service" . | fromYaml -}}
{{- $traffic := include "restaurant-app.traffic" . | fromJson -}}
{{- $declared := include "restaurant-app.image" (dict "root" .root "name" .name "service" $service) -}}
{{- $slots := list -}}
{{- range $subset, $weight := $traffic.weights -}}
{{- $workload := include "restaurant-app.workload" (dict "root" $.root "name" $.name "version" $service.version "subset" $subset) -}}
{{- $live := lookup "apps/v1" "Deployment" $.root.Release.Namespace $workload -}}
{{- $slot := dict "service" $.name "settings" $service "subset" $subset "workload" $workload "weight" (int $weight) "live" $live -}}
{{- $_ := include "restaurant-app.refuseResetToNobody" (dict "root" $.root "slot" $slot "traffic" $traffic) -}}
{{- $replicas := include "restaurant-app.replicas" (dict "slot" $slot "traffic" $traffic) | int -}}
{{- $decided := include "restaurant-app.decidedImage" (dict "root" $.root "live" $live "declared" $declared) -}}
{{- $slots = append $slots (dict "subset" $subset "workload" $workload "replicas" $replicas "declared" $declared "decided" $decided) -}}
{{- end -}}
{{- dict "slots" $slots | toJson -}}
{{- end }}

{{- define "restaurant-app.workload" -}}
{{- $workload := eq .subset .version | ternary .name (printf "%s-%s" .name .subset) -}}
{{- if and (ne $workload .name) (hasKey .root.Values.services $workload) -}}
{{- fail (printf "services.%s has the name of %s's Deployment for subset %s: give it another one" $workload .name .subset) -}}
{{- end -}}
{{- $workload -}}
{{- end }}

{{/*
As JSON {"weights": by subset, "liveWeights": what the cluster has of them, "live": whether the cluster has routes,
"running": whether a canary is under way}. Without the mesh there is one slot, that of the service's version.
*/}}
{{- define "restaurant-app.traffic" -}}
{{- $service := include "restaurant-app.service" . | fromYaml -}}
{{- $only := dict $service.version 100 -}}
{{- $traffic := dict "weights" $only "liveWeights" $only "live" false "running" false -}}
{{- if .root.Values.istio.enabled -}}
{{- $live := include "restaurant-app.liveVirtualService" . | fromJson -}}
{{- $route := dict "root" .root "route" (dict "name" "primary" "service" .name) "live" (dig "spec" "http" list $live) -}}
{{- $liveWeights := include "restaurant-app.weights" $route | fromJson -}}
{{- $weights := .root.Values.istio.resetWeights | ternary $service.weights $liveWeights -}}
{{- $state := get (dig "metadata" "annotations" dict $live) (include "restaurant-app.canaryAnnotation" .name) -}}
{{- $running := false -}}
{{- /* What cannot be read counts as a run: its pods are better left alone. */ -}}
{{- if $state }}{{ $running = not (has (dig "phase" "" (fromJson $state)) (list "Succeeded" "Failed")) }}{{ end -}}
{{- $traffic = dict "weights" $weights "liveWeights" $liveWeights "live" (not (empty $live)) "running" $running -}}
{{- end -}}
{{- toJson $traffic -}}
{{- end }}

{{/*
With all the weight: with autoscaling the number that the cluster has, which is the autoscaler's, unless it is below the least.
(Leaving the field out would say the same, but start every service with one pod, and go down to one when autoscaling is switched
on.) With less, and while a canary runs: what the cluster has. Only routes that are yet to be made find pods for any weight.
*/}}
{{- define "restaurant-app.replicas" -}}
{{- $live := int (dig "spec" "replicas" 0 .slot.live) -}}
{{- $least := int .slot.settings.replicas -}}
{{- if and .traffic.running (gt $live 0) -}}
{{- $live -}}
{{- else if eq .slot.weight 100 -}}
{{- .slot.settings.autoscaling.enabled | ternary (max $least $live) $least -}}
{{- else if and (gt .slot.weight 0) (not .slot.live) (not .traffic.live) -}}
{{- $least -}}
{{- else -}}
{{- $live -}}
{{- end -}}
{{- end }}

{{- define "restaurant-app.decidedImage" -}}
{{- $annotations := dig "metadata" "annotations" dict .live -}}
{{- $stillDeclared := eq (get $annotations (include "restaurant-app.canaryAnnotation" "declared-image")) .declared -}}
{{- if and $stillDeclared (not .root.Values.istio.resetWeights) -}}
{{- get $annotations (include "restaurant-app.canaryAnnotation" "image") -}}
{{- end -}}
{{- end }}

{{- define "restaurant-app.refuseResetToNobody" -}}
{{- $slot := .slot -}}
{{- $more := gt $slot.weight (int (index .traffic.liveWeights $slot.subset)) -}}
{{- if and .root.Values.istio.resetWeights .traffic.live $more (eq (int (dig "spec" "replicas" 0 $slot.live)) 0) -}}
{{- $scale := printf "kubectl -n %s scale deployment %s --replicas=%d" .root.Release.Namespace $slot.workload (int $slot.settings.replicas) -}}
{{- if not $slot.live }}{{ $scale = printf "install without istio.resetWeights, which makes it, and %s" $scale }}{{ end -}}
{{- fail (printf "istio.resetWeights would send %d %% of %s's requests to subset %s, but its Deployment %s has no pods. Go back to that version by a canary, or give it pods first: %s; then reset the weights. Nothing was changed." $slot.weight $slot.service $slot.subset $slot.workload $scale) -}}
{{- end -}}
{{- end }}
