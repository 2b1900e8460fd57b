"""The stand-in of a gRPC service: it answers every unary call, whatever its name.

Started as standin.py, with the same argument. A container gets it if its first port is called grpc. If the environment
has CALLS (host:port of another one), all calls but those of OWN are passed on. It needs grpcio, which is among the
requirements of the tests only.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from typing import Any

import grpc
from standin import EVERY_ADDRESS, Faults  # type: ignore[import-not-found]

# The prefix of the methods that are never passed on.
OWN = "/own."
CALL_SECONDS = 30
DRAIN_SECONDS = 5
# Proxies of the environment are for the Internet. A call that failed is the caller's to see.
OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0))


class Answers(grpc.GenericRpcHandler):
    """One pod's service."""

    def __init__(self, identity: dict[str, Any]) -> None:
        self.served = f"{identity['service']}/{identity['version']}/{identity['pod']}"
        self.faults = Faults(identity["faults"], identity["service"], identity["version"])
        behind = os.environ.get("CALLS")
        self.behind = grpc.aio.insecure_channel(behind, options=OPTIONS) if behind else None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Without serializers, requests and responses are bytes."""
        method = handler_call_details.method

        async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            await self.suffer(context)
            if self.behind is None or method.startswith(OWN):
                await context.send_initial_metadata((("x-served-by", self.served),))
                return request
            return await self.passed_on(self.behind, method, request, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    async def suffer(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        """Latency and errors."""
        fault = self.faults.now()
        await asyncio.sleep(float(fault.get("latency_ms", 0)) / 1000)
        if random.random() < float(fault.get("error_rate", 0)):  # noqa: S311
            await context.send_initial_metadata((("x-served-by", self.served),))
            await context.abort(grpc.StatusCode.INTERNAL, "injected fault")

    @staticmethod
    async def passed_on(
        behind: grpc.aio.Channel, method: str, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> bytes:
        """The answer of the service behind, or its error."""
        ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = behind.unary_unary(method)
        call = ask(request, timeout=CALL_SECONDS)
        await context.send_initial_metadata(
            tuple((key, value) for key, value in await call.initial_metadata() if key == "x-served-by")
        )
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")
        return answer


async def serve(identity: dict[str, Any]) -> None:
    """Serve until SIGTERM, then finish the calls in progress."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Answers(identity),))
    server.add_insecure_port(f"{EVERY_ADDRESS}:{identity['port']}")
    await server.start()
    await stop.wait()
    await server.stop(DRAIN_SECONDS)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
