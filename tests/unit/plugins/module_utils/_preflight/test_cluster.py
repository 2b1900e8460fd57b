# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import json
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight import cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.cluster import Given

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
SERVER = "https://cluster.example.com:6443"


def token(expires: datetime.datetime) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires.timestamp()}).encode()).decode().rstrip("=")
    return f"e30.{claims}.signature"


class TestWhereToGo:
    def test_options_win_over_the_environment(self) -> None:
        given = Given.of({"context": "mine", "host": None}, {"K8S_AUTH_CONTEXT": "theirs", "K8S_AUTH_HOST": SERVER})
        assert given == Given("", "mine", SERVER)

    def test_the_service_account_of_the_pod_is_never_chosen(self, tmp_path: Path) -> None:
        account = tmp_path / "token"
        account.touch()
        pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
        nothing = Given("", "", "")
        assert cluster.falls_back_to_pod(nothing, pod, str(account))
        assert not cluster.falls_back_to_pod(nothing, {}, str(account))
        assert not cluster.falls_back_to_pod(nothing, pod, str(tmp_path / "none"))
        assert not cluster.falls_back_to_pod(Given("", "", SERVER), pod, str(account))


class TestKubeconfig:
    def problem(self, path: Path, context: str = "") -> str:
        return cluster.kubeconfig_problem(Given(str(path), context, ""), {})

    def test_none_at_all(self, tmp_path: Path) -> None:
        text = cluster.kubeconfig_problem(Given("", "", ""), {"KUBECONFIG": str(tmp_path / "none")})
        assert text.startswith("No cluster is configured")

    def test_missing(self, tmp_path: Path) -> None:
        assert f"kubeconfig names {tmp_path / 'none'}" in self.problem(tmp_path / "none")

    @pytest.mark.parametrize("text", ["{", "text", "contexts: 3", "contexts: [{}]"])
    def test_nonsense(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "config").write_text(text)
        assert "is not a valid kubeconfig" in self.problem(tmp_path / "config")

    def test_context(self, tmp_path: Path) -> None:
        (tmp_path / "config").write_text("contexts: [{name: staging}, {name: lab}]")
        assert self.problem(tmp_path / "config", "lab") == ""
        text = self.problem(tmp_path / "config", "production")
        assert "no context 'production' (it has: staging, lab)" in text
        assert "Correct context" in text

    def test_several_files(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("contexts: [{name: a}]")
        (tmp_path / "b").write_text("contexts: [{name: b}]")
        both = f"{tmp_path / 'a'}:{tmp_path / 'b'}"
        assert cluster.kubeconfig_problem(Given(both, "b", ""), {}) == ""

    def test_no_file_is_needed_with_a_host_or_a_dict(self) -> None:
        assert cluster.kubeconfig_problem(Given("/none", "", SERVER), {}) == ""
        assert cluster.kubeconfig_problem(Given({"clusters": []}, "", ""), {}) == ""


class TestCredentials:
    def test_expired_token(self) -> None:
        old = token(datetime.datetime(2026, 5, 1, 12, 30, tzinfo=datetime.UTC))
        text = cluster.credential_problem(SERVER, old, "", NOW)
        assert "expired at 2026-05-01 12:30 UTC" in text
        assert "renew the kubeconfig" in text

    def test_a_token_that_still_holds_is_not_accepted(self) -> None:
        fresh = token(NOW + datetime.timedelta(hours=1))
        assert "does not accept the credentials" in cluster.credential_problem(SERVER, fresh, "", NOW)

    @pytest.mark.parametrize("opaque", ["abc", "a.b.c", "a.e30.c"])
    def test_an_opaque_token(self, opaque: str) -> None:
        assert cluster.expiry_of_token(opaque) is None

    def test_none(self) -> None:
        assert "no credentials are given" in cluster.credential_problem(SERVER, "", "", NOW)


@pytest.mark.parametrize(
    ("failure", "texts"),
    [
        (ApiFailure(0, "Unreachable", "Connection refused"), ["cannot be reached", "kubeconfig and context"]),
        (ApiFailure(0, "Unreachable", "CERTIFICATE_VERIFY_FAILED"), ["not trusted", "K8S_AUTH_SSL_CA_CERT"]),
        (ApiFailure(0, "NoConfiguration", "Invalid config"), ["No usable cluster configuration", "AWX"]),
        (ApiFailure(403, "Forbidden", "no"), ["does not let it read the version"]),
        (ApiFailure(502, "", "Bad Gateway"), ["not a healthy Kubernetes API server", "502"]),
    ],
)
def test_connection_problems(failure: ApiFailure, texts: list[str]) -> None:
    found = cluster.connection_problem(failure, SERVER)
    assert all(text in found for text in texts)


class TestIdentity:
    def test_the_right_one(self) -> None:
        assert cluster.identity_problem(SERVER, "u", "", "u") == ""
        assert cluster.identity_problem(SERVER, "", SERVER + "/", "") == ""
        assert cluster.identity_problem("https://A.example.com", "", "https://a.example.com:443", "") == ""

    def test_no_source_is_given(self) -> None:
        assert "set expected_uid: u" in cluster.identity_problem(SERVER, "u", "", "")
        assert f"set expected_server: {SERVER}" in cluster.identity_problem(SERVER, "", "", "")

    def test_the_wrong_one(self) -> None:
        text = cluster.identity_problem(SERVER, "found", "", "wanted")
        assert "Wrong cluster" in text
        assert "found" in text
        assert "wanted" in text
        assert "Wrong cluster" in cluster.identity_problem(SERVER, "u", "https://other.example.com:6443", "")
        assert "Wrong cluster" in cluster.identity_problem(SERVER, "u", "https://other.example.com:6443", "u")

    def test_the_uid_cannot_be_read(self) -> None:
        assert "set expected_server instead" in cluster.identity_problem(SERVER, "", "", "u")


@pytest.mark.parametrize(
    ("version", "minimum", "fits"),
    [
        ("v1.36.3", "1.25", True),
        ("v1.25.0", "1.25", True),
        ("v1.24.17", "1.25", False),
        ("v1.9.0", "1.25", False),
        ("v1.30.2-gke.100", "1.30", True),
        ("v2.0.0", "1.25", True),
        ("v1.9.0", "", True),
    ],
)
def test_versions(version: str, minimum: str, fits: bool) -> None:
    found = cluster.version_problem(version, minimum)
    assert (found == "") is fits
    assert fits or all(words in found for words in (version, minimum, "minimum_version"))


def test_what_is_denied_is_reported_with_the_account() -> None:
    text = cluster.access_problem([Right("get", "apps", "deployments", "a")], "bob")
    assert "account bob" in text
    assert text.endswith("\n- get: deployments.apps in namespace a")
    assert cluster.access_problem([], "bob") == ""
