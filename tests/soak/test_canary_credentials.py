"""M19 of the canary's review: a run that lasts longer than the token that it began with."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes import client

from ..integration.support.accounts import HOME, Accounts, documented, kubeconfig_of
from ..integration.support.canary_lab import Lab
from ..integration.support.canary_records import failed, read
from .conftest import Report

ROLES = documented("canary-operator.yml", "canary-proxies.yml", "istiod-by-pod-address.yml")


def token_of(core: client.CoreV1Api, account: str, secret: str) -> str:
    """One that is valid as long as the Secret is there."""
    made = core.create_namespaced_secret(HOME, {"metadata": {"name": secret}})
    bound = {"apiVersion": "v1", "kind": "Secret", "name": secret, "uid": made.metadata.uid}
    wanted = {"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}}
    return str(core.create_namespaced_service_account_token(account, HOME, wanted).status.token)


def test_m19_a_run_outlives_its_token(lab: Lab, tmp_path: Path, report: Report) -> None:
    stable, canary = lab.stable, lab.canary
    file = tmp_path / "token"
    with Accounts(lab.api, str(lab.kubeconfig), tmp_path) as accounts, lab.load() as load:
        accounts.add("outlived", ROLES)
        first = token_of(lab.core, "outlived", "first")
        file.write_text(first, encoding="utf-8")
        kubeconfig = kubeconfig_of(str(lab.kubeconfig), {"tokenFile": str(file)}, tmp_path)
        call = lab.call(image_tag=lab.tag(), steps=[10, 50], step_duration="20s", kubeconfig=kubeconfig)
        lab.until("the first step", lambda: lab.now().weights[canary] == 10)
        file.write_text(token_of(lab.core, "outlived", "second"), encoding="utf-8")
        lab.core.delete_namespaced_secret("first", HOME)
        assert call.wait() == 0, call.tail
        with pytest.raises(client.exceptions.ApiException) as refused:
            asked_with(lab, first)
        assert refused.value.status == 401, "the first token was not valid any more"
    report(f"{call.result['phase']}; {len(failed(read(load.output)))} failed requests")
    assert not failed(read(load.output))
    assert lab.now().weights == {stable: 0, canary: 100}


def asked_with(lab: Lab, token: str) -> None:
    configuration = client.Configuration()
    configuration.host, configuration.ssl_ca_cert = lab.api.configuration.host, lab.api.configuration.ssl_ca_cert
    configuration.api_key = {"authorization": f"Bearer {token}"}
    with client.ApiClient(configuration) as api:
        client.AuthenticationV1Api(api).create_self_subject_review({})
