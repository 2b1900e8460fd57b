"""Grafana's dashboards as code: one module a dashboard, `make dashboards` writes their JSON.

The JSON is that of Grafana's dashboard schema 41 (Grafana 11.6 and later read it).
"""
