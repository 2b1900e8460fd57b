# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Istio's annotations. Made by tools/annotations.py; do not edit.

Source: istio.io/api v1.31.0-rc.0.0.20260824154656-b943409680a7.
"""

from __future__ import annotations

from typing import NamedTuple


class Annotation(NamedTuple):
    """kinds: those it belongs to; "Any" for all."""

    maturity: str
    deprecated: bool
    kinds: tuple[str, ...]


ANNOTATIONS = {
    "alpha.istio.io/canonical-serviceaccounts": Annotation("alpha", True, ("Service",)),
    "alpha.istio.io/kubernetes-serviceaccounts": Annotation("alpha", True, ("Service",)),
    "ambient.istio.io/bypass-inbound-capture": Annotation("alpha", False, ("Pod",)),
    "ambient.istio.io/dns-capture": Annotation("alpha", False, ("Pod",)),
    "ambient.istio.io/redirection": Annotation("beta", False, ("Pod",)),
    "ambient.istio.io/waypoint-inbound-binding": Annotation("alpha", False, ("GatewayClass", "Gateway")),
    "galley.istio.io/analyze-suppress": Annotation("alpha", False, ("Any",)),
    "gateway.istio.io/controller-version": Annotation("alpha", False, ("Any",)),
    "gateway.istio.io/name-override": Annotation("alpha", False, ("Gateway",)),
    "gateway.istio.io/service-account": Annotation("alpha", False, ("Gateway",)),
    "inject.istio.io/templates": Annotation("alpha", False, ("Pod",)),
    "istio.io/autoRegistrationGroup": Annotation("alpha", False, ("WorkloadEntry",)),
    "istio.io/connectedAt": Annotation("alpha", False, ("WorkloadEntry",)),
    "istio.io/disconnectedAt": Annotation("alpha", False, ("WorkloadEntry",)),
    "istio.io/dry-run": Annotation("alpha", False, ("AuthorizationPolicy",)),
    "istio.io/reroute-virtual-interfaces": Annotation("alpha", False, ("Pod",)),
    "istio.io/rev": Annotation("alpha", False, ("Pod",)),
    "istio.io/use-waypoint-canary-weight": Annotation("alpha", False, ("Service", "ServiceEntry", "Namespace")),
    "istio.io/workloadController": Annotation("alpha", False, ("WorkloadEntry",)),
    "kubernetes.io/ingress.class": Annotation("stable", False, ("Ingress",)),
    "networking.istio.io/exportTo": Annotation("alpha", False, ("Service",)),
    "networking.istio.io/service-type": Annotation("alpha", False, ("Gateway",)),
    "networking.istio.io/traffic-distribution": Annotation("alpha", False, ("Namespace", "Service", "ServiceEntry")),
    "prometheus.istio.io/merge-metrics": Annotation("alpha", False, ("Pod",)),
    "proxy.istio.io/config": Annotation("beta", False, ("Pod",)),
    "proxy.istio.io/overrides": Annotation("alpha", False, ("Pod",)),
    "readiness.status.sidecar.istio.io/applicationPorts": Annotation("alpha", False, ("Pod",)),
    "readiness.status.sidecar.istio.io/failureThreshold": Annotation("alpha", False, ("Pod",)),
    "readiness.status.sidecar.istio.io/initialDelaySeconds": Annotation("alpha", False, ("Pod",)),
    "readiness.status.sidecar.istio.io/periodSeconds": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/agentLogLevel": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/bootstrapOverride": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/componentLogLevel": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/discoveryAddress": Annotation("alpha", True, ("Pod",)),
    "sidecar.istio.io/extraStatTags": Annotation("alpha", True, ("Pod",)),
    "sidecar.istio.io/inject": Annotation("beta", True, ("Pod",)),
    "sidecar.istio.io/interceptionMode": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/logLevel": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/nativeSidecar": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/proxyCPU": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/proxyCPULimit": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/proxyImage": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/proxyImageType": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/proxyMemory": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/proxyMemoryLimit": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/rewriteAppHTTPProbers": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/statsCompression": Annotation("alpha", True, ("Pod",)),
    "sidecar.istio.io/statsEvictionInterval": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/statsFlushInterval": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/statsHistogramBins": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/statsHistogramBuckets": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/statsInclusionPrefixes": Annotation("alpha", True, ("Pod",)),
    "sidecar.istio.io/statsInclusionRegexps": Annotation("alpha", True, ("Pod",)),
    "sidecar.istio.io/statsInclusionSuffixes": Annotation("alpha", True, ("Pod",)),
    "sidecar.istio.io/status": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/userVolume": Annotation("alpha", False, ("Pod",)),
    "sidecar.istio.io/userVolumeMount": Annotation("alpha", False, ("Pod",)),
    "status.sidecar.istio.io/port": Annotation("alpha", False, ("Pod",)),
    "topology.istio.io/controlPlaneClusters": Annotation("alpha", False, ("Namespace",)),
    "traffic.istio.io/nodeSelector": Annotation("stable", False, ("Service",)),
    "traffic.sidecar.istio.io/excludeInboundPorts": Annotation("alpha", False, ("Pod",)),
    "traffic.sidecar.istio.io/excludeInterfaces": Annotation("alpha", False, ("Pod",)),
    "traffic.sidecar.istio.io/excludeOutboundIPRanges": Annotation("alpha", False, ("Pod",)),
    "traffic.sidecar.istio.io/excludeOutboundPorts": Annotation("alpha", False, ("Pod",)),
    "traffic.sidecar.istio.io/includeInboundPorts": Annotation("alpha", False, ("Pod",)),
    "traffic.sidecar.istio.io/includeOutboundIPRanges": Annotation("alpha", False, ("Pod",)),
    "traffic.sidecar.istio.io/includeOutboundPorts": Annotation("alpha", False, ("Pod",)),
    "traffic.sidecar.istio.io/kubevirtInterfaces": Annotation("alpha", True, ("Pod",)),
}
