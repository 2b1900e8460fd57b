"""From the bridge to the API server's loopback port: TLS passes unchanged, so who calls is known to the API server."""

from __future__ import annotations

import asyncio

from ..components import LOOPBACK
from ..forward import pump
from ..settings import Settings


def run(settings: Settings) -> None:
    """For ever."""
    asyncio.run(_serve(settings.bridge_ip, settings.port("api")))


async def _serve(address: str, port: int) -> None:
    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    server = await asyncio.start_server(connection, address, port, backlog=512)
    await server.serve_forever()
