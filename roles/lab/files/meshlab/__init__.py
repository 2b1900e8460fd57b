"""The lab: a real Kubernetes control plane, Istio and Envoy as plain processes, for people and tests.

Run as ``python -m meshlab --settings FILE VERB``; the role ``lab`` writes the settings file and calls the verbs.
"""
