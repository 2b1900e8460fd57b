"""Job templates by ansible-runner, as AWX runs them, with the variables and the file of AWX's Kubernetes credential.

Two that change nothing. All of them, and the canary's workflow from job to job, are in tests/soak/test_awx.py.
"""

from __future__ import annotations

import dataclasses

from ..support.awx_account import awx, credential
from ..support.awx_job import Awx, Credential

__all__ = ["awx", "credential"]


def test_a_job_reaches_the_cluster_by_the_credential_alone(awx: Awx) -> None:
    job = awx.launch("canary status")
    assert (job.status, job.changed) == ("successful", 0), job.text


def test_a_survey_refuses_what_the_role_would_refuse(awx: Awx) -> None:
    job = awx.launch("validate", {"validate_fail_on": "panic", "validate_certificate_days": "soon"})
    assert job.status == "refused"
    assert len(job.refused) == 2


def test_past_the_survey_the_role_refuses_it(awx: Awx) -> None:
    job = awx.launch("canary promote", {"canary_service": "waiter"}, unasked=True)
    assert (job.status, job.changed) == ("failed", 0), job.text
    assert "canary_service is 'waiter', which is not one of" in job.running_text


def test_a_credential_without_the_cluster_s_ca_is_reported(awx: Awx, credential: Credential) -> None:
    job = awx.launch("canary status", credential=dataclasses.replace(credential, ca=""))
    assert job.status == "successful", job.text
    assert "is not verified" in job.running_text, job.text
