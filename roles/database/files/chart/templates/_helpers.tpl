{{/* Of {root, name}. */}}
{{- define "database.labels" -}}
app: {{ .name }}
app.kubernetes.io/name: {{ .name }}
{{ include "database.releaseLabels" .root }}
{{- end }}

{{- define "database.releaseLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: database
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Of {root, image}. */}}
{{- define "database.image" -}}
{{- $separator := ternary "@" ":" (hasPrefix "sha256:" .image.tag) -}}
{{- list .root.Values.image.registry .image.repository | compact | join "/" }}{{ $separator }}{{ .image.tag }}
{{- end }}

{{/* What the pods of {root, user} have in common: no rights, no token, no sidecar. */}}
{{- define "database.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "database.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/*
The files of a folder of this chart as a ConfigMap's data; of {root, folder, only: a pattern}. Without the last line break: of the
last file helm keeps it when it renders, and drops it when it installs.
*/}}
{{- define "database.files" -}}
{{- $folder := printf "files/%s/" .folder -}}
{{- range $path, $content := .root.Files.Glob (printf "%s%s" $folder .only) }}
{{ trimPrefix $folder $path }}: |-
  {{- $content | toString | trim | nindent 2 }}
{{- end }}
{{- end }}

{{/*
A pod's restart is how a new password gets into it. A digest of the data: other programs touch a Secret's metadata, and no server has
to restart for that. With the Secret's uid in it, which only those know who may read the Secret: no help for guessing.
*/}}
{{- define "database.secretVersion" -}}
{{- with lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- printf "%s %s" .metadata.uid (toJson .data) | sha256sum -}}
{{- end -}}
{{- end }}

{{/*
Kubernetes lets nobody change a StatefulSet's claim templates: what is there stays, and the role grows the claims themselves.
Of {root, name, size}.
*/}}
{{- define "database.claimTemplates" -}}
{{- $size := .size -}}
{{- $class := .root.Values.storage.className -}}
{{- range dig "spec" "volumeClaimTemplates" list (lookup "apps/v1" "StatefulSet" .root.Release.Namespace .name) -}}
{{- $size = .spec.resources.requests.storage -}}
{{- $class = default "" .spec.storageClassName -}}
{{- end -}}
- metadata:
    name: data
    labels:
      app: {{ .name }}
      app.kubernetes.io/part-of: database
  spec:
    accessModes: [ReadWriteOnce]
    {{- with $class }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ $size }}
{{- end }}
