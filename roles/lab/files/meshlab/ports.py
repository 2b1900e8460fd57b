"""Loopback ports that the lab needs and another process uses."""

from __future__ import annotations

from pathlib import Path

from .processes import Processes
from .settings import Settings


def taken(settings: Settings) -> list[dict[str, object]]:
    """Each port that is in use by a process other than the lab's own, with its owner."""
    folders = (settings.state_dir / "run", settings.state_dir / "run" / "pods")
    own = {record.pid for folder in folders for record in Processes(folder).records() if record.alive}
    listening = _listening()
    found: list[dict[str, object]] = []
    for name in settings.port_names:
        port = settings.port(name)
        if port in listening:
            pid, command = _owner(listening[port])
            if pid not in own:
                found.append({"port": port, "for": name, "pid": pid, "command": command})
    return found


def _listening() -> dict[int, str]:
    """Inode of the listening socket by port, for sockets that loopback connections would reach or collide with."""
    result = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].rsplit(":", 1)
            # 0A is LISTEN; addresses are little-endian hex: any address, or 127.x.x.x.
            if fields[3] == "0A" and (set(address) == {"0"} or address[6:8] == "7F" or address.endswith("0100007F")):
                result[int(port, 16)] = fields[9]
    return result


def _owner(inode: str) -> tuple[int | None, str]:
    wanted = f"socket:[{inode}]"
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(link.readlink() == Path(wanted) for link in folder.iterdir()):
                command = (folder.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return int(folder.parent.name), command[:120]
        except OSError:
            continue
    return None, "a process of another user"
