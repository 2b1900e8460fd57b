"""canary_load.py's constant rate, as unary calls of gRPC on one channel, as its clients have.

    python grpc_load.py --url http://127.0.0.1:8080/shop.Menu/Items --header 'Host: shop.example.com' --output FILE

Statuses are 200, or 500 and the code of gRPC. What has no answer of the service names the error.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TextIO
from urllib.parse import urlsplit

import grpc
from canary_load import Schedule, run


class Calls(Schedule):
    """One channel, on which calls run side by side."""

    def __init__(self, url: str, headers: Sequence[str], rate: float, timeout: float, output: TextIO) -> None:
        super().__init__(rate, timeout, output)
        parts = urlsplit(url)
        host = dict(header.split(": ", 1) for header in headers)["Host"]
        # No proxy of the environment, and no retries: a test counts what fails.
        options = (("grpc.default_authority", host), ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0))
        channel = grpc.aio.insecure_channel(f"{parts.hostname}:{parts.port}", options=options)
        self._ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(parts.path)

    async def exchange(self) -> tuple[float, int, str]:
        sent = time.time()
        call = self._ask(b"")
        served = "".join(str(value) for key, value in await call.initial_metadata() if key == "x-served-by")
        code, details = await call.code(), await call.details()
        if code is grpc.StatusCode.OK:
            return sent, 200, served
        return sent, 500 + code.value[0], served or f"!{code.name} {details}"


if __name__ == "__main__":
    run(__doc__, Calls)
