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
    description: The present version of the service.
    type: dict
    default: {}
    suboptions: &side
      subset:
        description: Name of the DestinationRule's subset. By default V(v1) for O(stable) and V(v2) for O(canary).
        type: str
      version:
        description:
          - The value of the metrics' label C(destination_version), or of C(destination_canonical_revision) if a peer
            has not answered and so has no version. By default the name of the subset, or for module canary the
            subset's label.
        type: str
        default: ""
      workload:
        description:
          - The value of the label C(destination_workload). If set, it is used instead of the version. By default, for
            module canary, the Deployment of the subset.
        type: str
        default: ""
  canary:
    description: The new version.
    type: dict
    default: {}
    suboptions: *side
  provider:
    description: The source of the counters.
    type: dict
    default: {}
    suboptions:
      type:
        description:
          - V(prometheus) is Prometheus or any server with its query API, such as Thanos and Mimir.
          - V(envoy) reads the counters of the clients' own proxies, at port 15090 of their pods, without waiting for a
            scrape. One client in ten may be unreachable. It needs C(list) on C(pods).
          - Both need Istio's standard metrics with their label C(destination_service), which identifies the service of
            a request regardless of its outcome.
        type: str
        choices: [prometheus, envoy]
        default: prometheus
      url:
        description: Base URL of the server. Proxies from the environment are not used.
        type: str
        default: ""
      path_prefix:
        description: Path between the URL and C(/api/v1/query), such as C(/prometheus) for Mimir.
        type: str
        default: ""
      token:
        description: Bearer token.
        type: str
        default: ""
      token_file:
        description:
          - File with a bearer token, on the machine where the module runs. It is read for each query, so the token may
            be replaced during a run, like those of service accounts.
        type: path
        default: ""
      username:
        description: User for basic authentication.
        type: str
        default: ""
      password:
        description: Password for basic authentication.
        type: str
        default: ""
      headers:
        description: Headers of each request, such as C(X-Scope-OrgID) for a tenant. They are not returned.
        type: dict
        default: {}
      ca_cert:
        description: File with certificates of the authorities to trust instead of the system's.
        type: path
        default: ""
      validate_certs:
        description: Whether to verify the server's certificate.
        type: bool
        default: true
      replica_labels:
        description:
          - Labels that distinguish replicas of one Prometheus, if an answer has the samples of several, such as from
            Thanos without deduplication. They are ignored, so that each counter is counted once.
        type: list
        elements: str
        default: [prometheus_replica, replica, __replica__]
      timeout:
        description: Timeout of a query, in seconds.
        type: float
        default: 5
      proxy_access:
        description:
          - How to reach the proxies.
          - V(port_forward) goes through the API server, one pod after the other, and needs C(get) and C(create) on
            C(pods/portforward) beside C(get) and C(list) on C(pods), in each client's namespace.
          - V(pod_address) uses the pods' addresses in parallel. They must be routable. It needs no C(pods/portforward).
          - C(docs/canary-proxies.yml) grants both.
        type: str
        choices: [port_forward, pod_address]
        default: port_forward
      clients:
        description:
          - Pods whose proxies send requests to the service. Requests of other clients are not counted.
          - By default all pods with a sidecar in O(namespace), and in O(istio_namespace) those with the label C(istio),
            which are the gateways.
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
    description: The metrics of the canary. A metric may be used more than once, with different options.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - V(request-success-rate), in percent of all requests, of HTTP and of gRPC. Requests whose client
            disconnected (response code 0 with the flag C(DC)) are not counted.
          - V(request-duration), the share of requests that take longer than O(metrics[].threshold_range.max)
            milliseconds.
          - V(grpc-success-rate), in percent of the gRPC requests alone.
          - V(traffic-share), the canary's percentage of answered requests. It falls below the weight if requests get no
            answer. It can only fail, and a pass does not wait for it.
          - Any other name is for O(metrics[].query).
        type: str
        required: true
      query:
        description:
          - PromQL with a single value. C($namespace), C($service), C($subset), C($version), C($workload) and C($window)
            are filled in.
          - A query with a division should also have a value without a numerator, with C(or vector(0)).
          - A value is not a count, so it is compared with O(metrics[].threshold_range) directly, without a known error
            rate.
        type: str
        default: ""
      samples_query:
        description: PromQL for the number of requests behind O(metrics[].query), for O(metrics[].min_samples).
        type: str
        default: ""
      window:
        description:
          - The window of a query, such as V(30s) or V(1m), but never before the run. The query passes once its whole
            window is after the step took effect.
          - Without C(since), also the window of the first measurement of requests.
        type: str
        default: 30s
      threshold_range:
        description:
          - The limits. Metrics of requests are judged by the evidence. The metric fails if the evidence shows that a
            limit is exceeded, and passes if it shows that the limits are kept.
        type: dict
        suboptions:
          min:
            description: Minimum, above 0 and below 100 for a rate.
            type: float
          max:
            description:
              - Maximum, for V(request-duration) in milliseconds. It may differ from the bounds of the histogram's
                buckets. Then only requests beyond the next bucket above count as slow for a failure, and all beyond the
                next one below for a pass.
            type: float
          margin:
            description: By how many percentage points the bad share may exceed the limit for a pass.
            type: float
            default: 0
      percentile:
        description: Percentage of requests that must be within the limit of V(request-duration).
        type: float
        default: 99
      compare:
        description:
          - The limits relative to the stable side, at the same time. For metrics of requests, the shares of failed or
            slow ones are compared.
        type: dict
        suboptions:
          to:
            description: The side to compare with.
            type: str
            choices: [stable]
            default: stable
          max_ratio:
            description: Maximum of the canary's bad share, as a multiple of stable's.
            type: float
          max_delta:
            description: By how many percentage points it may be worse. For a query, in its own unit.
            type: float
          margin:
            description:
              - By how many additional percentage points it may be worse for a pass. With 0, a canary that is exactly as
                bad as allowed never gets a verdict.
            type: float
            default: 2.0
          without_baseline:
            description: What to do if the stable side has no requests.
            type: str
            choices: [no_data, ignore]
            default: no_data
      min_samples:
        description:
          - For a query, the minimum of O(metrics[].samples_query) for a verdict, on either side. By default 20.
          - Refused for metrics of requests, which are judged by the evidence.
        type: int
      no_data:
        description:
          - For a query, the verdict if it has no value. V(wait), the default, leaves it at C(no_data).
        type: str
        choices: [wait, inconclusive, fail, pass]
      failure_limit:
        description: For a query, how many measurements may fail. By default none.
        type: int
      reporter:
        description:
          - Which counters to use. V(source), the clients', also have requests that never reached the canary.
          - V(destination), the service's own, also have copies, which Istio's clients do not count. With provider
            V(envoy) the service's pods must be among O(provider.clients), as they are by default.
          - V(waypoint), those of the service's waypoint in ambient mode, where clients have no counters. Only with
            provider V(prometheus). Experimental, since it was tested without a waypoint.
        type: str
        choices: [source, destination, waypoint]
        default: source
      error_codes:
        description:
          - Regular expression for the codes of failures, of C(response_code) or, for V(grpc-success-rate), of
            C(grpc_response_status).
          - By default V(5..) of C(response_code) and V(2|4|12|13|14|15) of C(grpc_response_status). V(5..|0) also
            counts requests without an answer whose client did not disconnect, but no gRPC status.
        type: str
        default: ""
  whole_service_guard:
    description:
      - The error share of the whole service from its clients' view. It includes requests that found no pod, which
        belong to neither version. Failed ones also count as the canary's for a pass, so the pass is valid even then.
      - It can only fail, and a pass does not wait for it.
    type: dict
    suboptions:
      max_error_rate:
        description: Maximum percentage of errors.
        type: float
      max_increase:
        description:
          - By how many percentage points it may exceed that before the run. It has no effect if the service had no
            requests then.
        type: float
      window:
        description: Duration of the period before the run, for O(whole_service_guard.max_increase).
        type: str
        default: 5m
      error_codes:
        description: As O(metrics[].error_codes).
        type: str
        default: ""
  rollback_error_rate:
    description:
      - Maximum probability that a canary within its limits fails, over all measurements, steps and metrics of requests
        together.
    type: float
    default: 0.005
  promotion_error_rate:
    description:
      - Maximum probability that a canary beyond a limit and its margin passes all its steps, for each metric of
        requests.
    type: float
    default: 0.01
  burst:
    description:
      - How many requests may fail together, such as the calls of one page, while O(rollback_error_rate) still applies.
        Evidence for a failure takes as many times longer.
    type: int
    default: 2
"""
