#!/bin/sh
# Tells Envoy who it is, for the lab's metrics (telemetry.py), then becomes Istio's own agent.
label() { sed -n "s|^$1=\"\\(.*\\)\"\$|\\1|p" /etc/istio/pod/labels 2>/dev/null; }
export MESHLAB_WORKLOAD="${ISTIO_META_WORKLOAD_NAME:-}"
export MESHLAB_NAMESPACE="${POD_NAMESPACE:-}"
MESHLAB_APP="$(label app)"
MESHLAB_VERSION="$(label version)"
MESHLAB_CANONICAL_SERVICE="$(label service.istio.io/canonical-name)"
MESHLAB_CANONICAL_REVISION="$(label service.istio.io/canonical-revision)"
export MESHLAB_APP MESHLAB_VERSION MESHLAB_CANONICAL_SERVICE MESHLAB_CANONICAL_REVISION
export MESHLAB_CLUSTER="${ISTIO_META_CLUSTER_ID:-}"
MESHLAB_PEER="$MESHLAB_WORKLOAD;$MESHLAB_NAMESPACE;$MESHLAB_APP;$MESHLAB_VERSION"
export MESHLAB_PEER="$MESHLAB_PEER;$MESHLAB_CANONICAL_SERVICE;$MESHLAB_CANONICAL_REVISION;$MESHLAB_CLUSTER"
exec /usr/local/bin/pilot-agent "$@"
