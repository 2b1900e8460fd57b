# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  namespace:
    description: Namespace of the service.
    type: str
    required: true
  service:
    description: The service's name.
    type: str
    required: true
  stable:
    description: The version that the service has had so far.
    type: dict
    default: {}
    suboptions: &side
      subset:
        description: Name of the DestinationRule's subset. If not given, V(v1) for O(stable) and V(v2) for O(canary).
        type: str
      version:
        description: What the metrics' label C(destination_version) says. If not given, the name of the subset.
        type: str
        default: ""
      workload:
        description: What the label C(destination_workload) says. If given, it decides instead of the version.
        type: str
        default: ""
  canary:
    description: The new version.
    type: dict
    default: {}
    suboptions: *side
  provider:
    description: Where the counters are read.
    type: dict
    default: {}
    suboptions:
      type:
        description:
          - V(prometheus) takes Prometheus and whatever has its query API, such as Thanos and Mimir.
          - V(envoy) reads the counters of the clients' own proxies, at port 15020 of their pods, without waiting for a
            scrape. It needs C(list) on C(pods).
        type: str
        choices: [prometheus, envoy]
        default: prometheus
      url:
        description: Base URL of the server. Proxies of the environment are not used.
        type: str
        default: ""
      path_prefix:
        description: What is between the URL and C(/api/v1/query), such as C(/prometheus) for Mimir.
        type: str
        default: ""
      token:
        description: Bearer token.
        type: str
        default: ""
      username:
        description: User of basic authentication.
        type: str
        default: ""
      password:
        description: Password of basic authentication.
        type: str
        default: ""
      headers:
        description: Headers of each request, such as C(X-Scope-OrgID) for a tenant. They are not returned.
        type: dict
        default: {}
      ca_cert:
        description: File of certificates of authorities to trust instead of the system's.
        type: path
        default: ""
      validate_certs:
        description: Whether the server's certificate is verified.
        type: bool
        default: true
      timeout:
        description: How many seconds an answer may take.
        type: float
        default: 5
      proxy_access:
        description:
          - How proxies are reached.
          - V(port_forward) goes through the API server, one pod after the other, and needs C(get) and C(create) on
            C(pods/portforward) beside C(get) and C(list) on C(pods), in each client's namespace.
          - V(pod_address) goes to the pods' addresses at once, where they are routed, and needs no C(pods/portforward).
          - C(docs/canary-proxies.yml) grants both.
        type: str
        choices: [port_forward, pod_address]
        default: port_forward
      clients:
        description:
          - Pods whose proxies send requests to the service. Requests of others are not seen.
          - If not given, all pods with a sidecar in O(namespace), and in O(istio_namespace) those with the label
            C(istio), which are the gateways.
        type: list
        elements: dict
        default: []
        suboptions:
          namespace:
            description: Their namespace.
            type: str
            required: true
          labels:
            description: Label selector.
            type: str
            default: ""
  metrics:
    description: What is measured, for the canary. A metric may be named more than once, with other options.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - V(request-success-rate), in percent of all requests.
          - V(request-duration), in milliseconds.
          - V(grpc-success-rate), in percent of all gRPC requests.
          - V(traffic-share), the canary's percentage of answered requests; it falls below the weight when answers stay
            away.
          - Any other name is that of O(metrics[].query).
        type: str
        required: true
      query:
        description:
          - PromQL that has one value. C($namespace), C($service), C($subset), C($version), C($workload) and C($window)
            are filled in.
          - A query that divides is better written so that it has a value without a numerator, with C(or vector(0)).
        type: str
        default: ""
      samples_query:
        description: PromQL for how many requests O(metrics[].query) is made of, for O(metrics[].min_samples).
        type: str
        default: ""
      window:
        description: How far back is measured, such as V(30s) or V(1m), but never before the run.
        type: str
        default: 30s
      threshold_range:
        description: What the value has to be.
        type: dict
        suboptions:
          min:
            description: The least.
            type: float
          max:
            description: The most.
            type: float
      percentile:
        description: Which percentile of V(request-duration).
        type: float
        default: 99
      compare:
        description: What the value has to be beside that of another side, in the same window.
        type: dict
        suboptions:
          to:
            description: The side.
            type: str
            choices: [stable]
            default: stable
          max_ratio:
            description:
              - How many times the baseline it may be. Of success rates, the share of failures is meant, and a baseline
                without any counts as having one.
            type: float
          max_delta:
            description: By how much it may be worse, in the metric's unit.
            type: float
          without_baseline:
            description: What becomes of the comparison if the baseline has fewer than O(metrics[].min_samples).
            type: str
            choices: [no_data, ignore]
            default: no_data
      min_samples:
        description: How many requests make a judgement, at either side. Fewer are no data. 0 means 1.
        type: int
        default: 20
      no_data:
        description: The verdict where there is nothing to judge. V(wait) leaves it at C(no_data).
        type: str
        choices: [wait, inconclusive, fail, pass]
        default: wait
      failure_limit:
        description: How many measurements may fail.
        type: int
        default: 0
      consecutive_error_limit:
        description: How many errors in a row there may be.
        type: int
        default: 4
      critical:
        description: The first failure decides, whatever the limit.
        type: bool
        default: false
      reporter:
        description:
          - Whose counters count. V(source), the clients', also see requests that never reached the canary.
        type: str
        choices: [source, destination]
        default: source
      error_codes:
        description:
          - Regular expression of the codes that are failures, of C(response_code) or of C(grpc_response_status).
          - If not given, V(5..|0), where 0 is a request that its client gave up, and for gRPC V(2|4|12|13|14|15).
        type: str
        default: ""
  whole_service_guard:
    description:
      - The error share of the whole service as its clients see it. It has requests that found no pod at all, which
        belong to no version.
    type: dict
    suboptions:
      max_error_rate:
        description: Percentage of errors that may not be exceeded.
        type: float
      max_increase:
        description: By how many percent points it may exceed that of the time before the run.
        type: float
      window:
        description: As of a metric.
        type: str
        default: 30s
      min_samples:
        description: As of a metric.
        type: int
        default: 20
      no_data:
        description: As of a metric.
        type: str
        choices: [wait, inconclusive, fail, pass]
        default: wait
      failure_limit:
        description: As of a metric.
        type: int
        default: 0
      error_codes:
        description: As of a metric.
        type: str
        default: ""
"""
