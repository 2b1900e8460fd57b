"""A stand-in of the controller's API, so much of it as collection awx.awx 24.6 uses for our objects.

It is strict where AWX is, and a little beyond: unknown fields and filters, relations that lead nowhere, playbooks that
the project does not have, surveys, prompts that a template does not ask for, two credentials of one type, links that
close a circle. It is written after AWX's documentation and what the modules expect of it; it is not AWX.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .awx_surveys import survey_problems

TOKEN = "stand-in"
# awx.awx reads all certificates of the machine for each request, be it http: a tenth of a second that we save.
NO_CERTIFICATES = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
ENCRYPTED = "$encrypted$"
_ASKS = ("limit", "job_type", "diff_mode", "tags")
_NOTES = ("started", "success", "error")
_LINKS = ("success_nodes", "failure_nodes", "always_nodes")


@dataclass(frozen=True)
class Kind:
    """What the API takes of one kind: fields with their defaults, those that must be given, and what they lead to."""

    fields: Mapping[str, Any]
    required: tuple[str, ...] = ("name",)
    relations: Mapping[str, str] = field(default_factory=dict)
    # Lists beside the object: their name and the kind of what is in them.
    lists: Mapping[str, str] = field(default_factory=dict)
    survey: bool = False


_NAMED = {"name": "", "description": "", "organization": None}
_OWNED = {"organization": "organizations"}
KINDS: dict[str, Kind] = {
    "organizations": Kind({"name": "", "description": ""}),
    "execution_environments": Kind({**_NAMED, "image": "", "pull": ""}, ("name", "image"), _OWNED),
    "credential_types": Kind(
        {"name": "", "description": "", "kind": "", "inputs": {}, "injectors": {}, "managed": False}, ("name", "kind")
    ),
    "credentials": Kind(
        {**_NAMED, "credential_type": None, "inputs": {}},
        ("name", "credential_type"),
        {**_OWNED, "credential_type": "credential_types"},
    ),
    "notification_templates": Kind(
        {**_NAMED, "notification_type": "", "notification_configuration": {}, "messages": None},
        ("name", "organization", "notification_type"),
        _OWNED,
    ),
    "projects": Kind(
        {
            **_NAMED,
            "scm_type": "",
            "scm_url": "",
            "scm_branch": "",
            "credential": None,
            "default_environment": None,
            "scm_update_on_launch": False,
            "scm_update_cache_timeout": 0,
        },
        ("name", "organization"),
        {**_OWNED, "credential": "credentials", "default_environment": "execution_environments"},
    ),
    "inventories": Kind({**_NAMED, "kind": "", "host_filter": None, "variables": ""}, ("name", "organization"), _OWNED),
    "inventory_sources": Kind(
        {
            "name": "",
            "description": "",
            "inventory": None,
            "source": "",
            "source_path": "",
            "source_project": None,
            "execution_environment": None,
            "overwrite": False,
            "overwrite_vars": False,
            "update_on_launch": False,
            "update_cache_timeout": 0,
        },
        ("name", "inventory", "source"),
        {
            "inventory": "inventories",
            "source_project": "projects",
            "execution_environment": "execution_environments",
        },
    ),
    "job_templates": Kind(
        {
            **_NAMED,
            "job_type": "run",
            "inventory": None,
            "project": None,
            "playbook": "",
            "extra_vars": "",
            "execution_environment": None,
            "allow_simultaneous": False,
            "survey_enabled": False,
            **{f"ask_{name}_on_launch": False for name in _ASKS},
        },
        ("name", "project", "playbook", "inventory"),
        {
            **_OWNED,
            "inventory": "inventories",
            "project": "projects",
            "execution_environment": "execution_environments",
        },
        {
            "credentials": "credentials",
            **{f"notification_templates_{when}": "notification_templates" for when in _NOTES},
        },
        survey=True,
    ),
    "workflow_job_templates": Kind(
        {**_NAMED, "extra_vars": "", "allow_simultaneous": False, "survey_enabled": False},
        ("name",),
        _OWNED,
        {f"notification_templates_{when}": "notification_templates" for when in (*_NOTES, "approvals")},
        survey=True,
    ),
    "workflow_job_template_nodes": Kind(
        {
            "identifier": "",
            "workflow_job_template": None,
            "unified_job_template": None,
            "extra_data": {},
            "job_type": None,
            "diff_mode": None,
        },
        ("identifier", "workflow_job_template"),
        {"workflow_job_template": "workflow_job_templates", "unified_job_template": "unified_job_templates"},
        dict.fromkeys(_LINKS, "workflow_job_template_nodes"),
    ),
    "workflow_approval_templates": Kind({"name": "", "description": "", "timeout": 0}),
    "schedules": Kind(
        {"name": "", "description": "", "unified_job_template": None, "rrule": "", "enabled": True, "extra_data": {}},
        ("name", "unified_job_template", "rrule"),
        {"unified_job_template": "unified_job_templates"},
    ),
}
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")


class Refused(Exception):
    """A 400 with the body that AWX gives."""


class Controller:
    """The objects, and every request that was made."""

    def __init__(self, playbooks: Path) -> None:
        self._playbooks = {f"playbooks/{path.name}" for path in playbooks.glob("*.yml")}
        self.objects: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.lists: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Any] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self._last = 0
        self._synced: set[int] = set()

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        return [request for request in self.requests if request[0] != "GET"]

    def named(self, kind: str, name: str) -> dict[str, Any]:
        return next(item for item in self.objects[kind].values() if item["name"] == name)

    def add(self, resource: str, /, **given: Any) -> dict[str, Any]:
        known = KINDS[resource]
        self._check(resource, given)
        if missing := [name for name in known.required if given.get(name) in (None, "")]:
            raise Refused({name: ["This field is required."] for name in missing})
        self._last += 1
        item = {
            **known.fields,
            **given,
            "id": self._last,
            "type": resource.removesuffix("s").replace("inventorie", "inventory"),
        }
        item["url"] = f"/api/v2/{resource}/{self._last}/"
        item["related"] = {"survey_spec": f"{item['url']}survey_spec/"} if known.survey else {}
        item["summary_fields"] = {"current_update": {"id": self._last}} if resource == "projects" else {}
        if resource == "projects":
            item["scm_revision"] = ""
        self._unique(resource, item)
        self._hide(resource, item)
        self.objects[resource][self._last] = item
        return item

    def change(self, kind: str, number: int, given: Mapping[str, Any]) -> dict[str, Any]:
        self._check(kind, given)
        self.objects[kind][number].update(given)
        self._hide(kind, self.objects[kind][number])
        return self.objects[kind][number]

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        """(status, body) of one request. path is that below /api/v2."""
        match path.strip("/").split("/"), method:
            case [kind], "GET" if kind in KINDS or kind == "unified_job_templates":
                return 200, self._listed(kind, query)
            case [kind], "POST" if kind in KINDS:
                return 201, self.add(kind, **body)
            case ["project_updates", number], "GET":
                self._synced.add(int(number))
                return 200, {"id": int(number), "status": "successful"}
            case [kind, number], "GET":
                return 200, self.objects[kind][int(number)]
            case [kind, number], "PATCH":
                return 200, self.change(kind, int(number), body)
            case [kind, number, "survey_spec"], "GET":
                return 200, self.surveys.get((kind, int(number)), {})
            case [kind, number, "survey_spec"], "POST":
                if problems := survey_problems(body):
                    raise Refused({"error": "; ".join(problems)})
                self.surveys[kind, int(number)] = body
                return 200, {}
            case ["workflow_job_template_nodes", number, "create_approval_template"], "POST":
                approval = self.add("workflow_approval_templates", **body)
                node = self.objects["workflow_job_template_nodes"][int(number)]
                node["unified_job_template"] = approval["id"]
                node["related"]["unified_job_template"] = approval["url"]
                return 201, approval
            case [kind, number, name], "GET" if name in KINDS[kind].lists:
                members = [
                    self.objects[KINDS[kind].lists[name]][i] for i in self.lists.get((kind, int(number), name), [])
                ]
                return 200, {"count": len(members), "next": None, "results": members}
            case [kind, number, name], "POST" if name in KINDS[kind].lists:
                self._link(kind, int(number), name, body)
                return 204, None
        return 404, {"detail": "Not found."}

    def _check(self, kind: str, given: Mapping[str, Any]) -> None:
        known = KINDS[kind]
        if wrong := [
            name for name in given if name not in known.fields and given.get("type") != kind.removesuffix("s")
        ]:
            raise Refused({name: [f"{kind} have no such field."] for name in wrong})
        for name, other in known.relations.items():
            if given.get(name) is not None and given[name] not in self._all(other):
                raise Refused({name: [f'Invalid pk "{given[name]}" - object does not exist.']})
        if kind == "job_templates" and "playbook" in given:
            if given["project"] not in self._synced:
                raise Refused({"project": ["Project has not been updated yet."]})
            if given["playbook"] not in self._playbooks:
                raise Refused({"playbook": ["Playbook not found for project."]})
        if kind == "workflow_job_template_nodes" and given.get("unified_job_template"):
            template = self._all("unified_job_templates")[given["unified_job_template"]]
            for name in ("job_type", "diff_mode"):
                if given.get(name) is not None and not template.get(f"ask_{name}_on_launch"):
                    raise Refused({name: ["Field is not configured to prompt on launch."]})
            survey = self.surveys.get((f"{template['type']}s", template["id"]), {})
            asked = {question["variable"] for question in survey.get("spec", [])}
            if unknown := sorted(given.get("extra_data", {}).keys() - asked):
                raise Refused({"extra_data": [f"Variables {unknown} are not allowed on launch."]})
        if kind == "schedules" and "rrule" in given:
            pattern = r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=(MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY);INTERVAL=\d+"
            if not re.fullmatch(pattern, given["rrule"]):
                raise Refused({"rrule": ["rrule parsing failed validation."]})

    def _unique(self, kind: str, item: Mapping[str, Any]) -> None:
        keys = {"workflow_job_template_nodes": ("identifier", "workflow_job_template")}.get(
            kind, ("name", "organization", "inventory", "unified_job_template", "credential_type")
        )
        for other in self.objects[kind].values():
            if kind != "workflow_approval_templates" and all(other.get(key) == item.get(key) for key in keys):
                raise Refused({"__all__": [f"{kind} with this {', '.join(keys)} already exists."]})

    def _hide(self, kind: str, item: dict[str, Any]) -> None:
        """Secrets are never shown again."""
        if kind == "credentials":
            fields = self.objects["credential_types"][item["credential_type"]]["inputs"].get("fields", [])
            secret = {one["id"] for one in fields if one.get("secret")}
            item["inputs"] = {key: ENCRYPTED if key in secret else value for key, value in item["inputs"].items()}

    def _link(self, kind: str, number: int, name: str, body: Mapping[str, Any]) -> None:
        members = self.lists.setdefault((kind, number, name), [])
        if body.get("disassociate"):
            members.remove(body["id"])
            return
        if name == "credentials":
            types = [self.objects["credentials"][member]["credential_type"] for member in members]
            if self.objects["credentials"][body["id"]]["credential_type"] in types:
                raise Refused({"detail": "Cannot assign multiple credentials of one type."})
        if name in _LINKS and (body["id"] == number or number in self._reached(body["id"])):
            raise Refused({"detail": "Cycle detected."})
        members.append(body["id"])

    def _reached(self, node: int) -> set[int]:
        next_ones = {i for link in _LINKS for i in self.lists.get(("workflow_job_template_nodes", node, link), [])}
        return next_ones.union(*(self._reached(one) for one in next_ones))

    def _all(self, kind: str) -> dict[int, dict[str, Any]]:
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        return {number: item for one in kinds for number, item in self.objects[one].items()}

    def _listed(self, kind: str, query: Mapping[str, str]) -> dict[str, Any]:
        query = dict(query)
        size, page = int(query.pop("page_size", 25)), int(query.pop("page", 1))
        found = list(self._all(kind).values())
        for key, value in query.items():
            name, __, how = key.partition("__")
            known = {*(KINDS[kind].fields if kind in KINDS else KINDS["job_templates"].fields), "id", "type"}
            if name not in known or how not in ("", "startswith"):
                raise Refused({"detail": f"{kind} have no field named '{key}'."})
            if how:
                found = [item for item in found if str(item.get(name)).startswith(value)]
            else:
                found = [item for item in found if str(item.get(name)) == value]
        following = f"/api/v2/{kind}/?page={page + 1}&page_size={size}" if page * size < len(found) else None
        return {"count": len(found), "next": following, "results": found[(page - 1) * size : page * size]}


@contextmanager
def serve(controller: Controller) -> Iterator[str]:
    """The address at which it answers, until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        # Headers and body in one piece; in two, the second waits 40 ms for the first one's acknowledgement.
        wbufsize = -1

        def _do(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            with lock:
                controller.requests.append((self.command, self.path, body))
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    status, answer = 401, {"detail": "Authentication credentials were not provided."}
                else:
                    try:
                        path = parts.path.removeprefix("/api/v2")
                        status, answer = controller.answer(self.command, path, dict(parse_qsl(parts.query)), body)
                    except Refused as refused:
                        status, answer = 400, refused.args[0]
                    except KeyError:
                        status, answer = 404, {"detail": "Not found."}
                text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = _do

        def log_message(self, *_: Any) -> None:
            """Requests are in the controller's list."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
