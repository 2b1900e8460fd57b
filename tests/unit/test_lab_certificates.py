"""The lab's certificates, as the strictest client that reaches it would check them."""

from __future__ import annotations

import ssl
from pathlib import Path

from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.pki import Pki


def test_a_strict_client_and_the_api_server_take_each_other(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.ensure(["127.0.0.1"], node_address="10.100.128.1")
    pki.kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:6443", "admin", "system:masters", "lab")
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    for context, name in ((ours, "client-admin"), (theirs, "api")):
        context.load_verify_locations(pki.path("ca.crt"))
        context.load_cert_chain(pki.path(f"{name}.crt"), pki.path(f"{name}.key"))
        # What Python does by itself from 3.13 on.
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    theirs.verify_mode = ssl.CERT_REQUIRED
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    server = theirs.wrap_bio(to_server, to_client, server_side=True)
    # An unacceptable certificate is a ssl.SSLCertVerificationError here; a handshake has no more messages than this.
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.getpeercert()
    assert server.getpeercert()
