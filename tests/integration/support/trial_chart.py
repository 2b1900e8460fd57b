"""Templates for a small chart, and what helm_releases did with them."""

from __future__ import annotations

from typing import Any

CONFIG_MAP = """
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: {{ .Release.Name }}
      labels: {{ toJson .Values.labels }}
    data:
      greeting: {{ .Values.greeting | quote }}
"""
SECRET = """
    apiVersion: v1
    kind: Secret
    metadata:
      name: {{ .Release.Name }}
    stringData:
      password: {{ .Values.password | quote }}
"""
DEPLOYMENT = """
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: {{ .Release.Name }}
    spec:
      replicas: 2
      selector:
        matchLabels:
          app: {{ .Release.Name }}
      template:
        metadata:
          labels:
            app: {{ .Release.Name }}
        spec:
          # It never becomes ready, with nodes (the lab's run any image) and without.
          nodeSelector: {trial: no-such-node}
          containers:
            - name: app
              image: registry.invalid/app:1
"""


def actions(outcome: Any) -> dict[str, str]:
    """What happened to each object, by its kind."""
    assert "releases" in outcome.result, outcome.message or outcome.stdout
    return {entry["kind"]: entry["change"] for entry in outcome.result["releases"][0]["objects"]}


def action(outcome: Any) -> str:
    assert "releases" in outcome.result, outcome.message or outcome.stdout
    return str(outcome.result["releases"][0]["action"])
