"""The kernel's inotify limit: every proxy watches files, and Linux allows a user 128 watchers of files by default."""

from __future__ import annotations

from pathlib import Path

from .settings import Settings

INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
ENOUGH = 8192


def raise_inotify(settings: Settings) -> None:
    """Raise the limit where it is too low, and remember what it was."""
    before = INOTIFY.read_text(encoding="ascii").strip()
    if int(before) < ENOUGH:
        (settings.state_dir / "inotify_before").write_text(before, encoding="ascii")
        INOTIFY.write_text(str(ENOUGH), encoding="ascii")


def restore_inotify(settings: Settings) -> None:
    """Restore the limit, unless another program has changed it since or another lab still needs it."""
    remembered = settings.state_dir / "inotify_before"
    if not remembered.exists():
        return
    others = any(Path("/sys/class/net").glob("meshlab*"))
    if not others and INOTIFY.read_text(encoding="ascii").strip() == str(ENOUGH):
        INOTIFY.write_text(remembered.read_text(encoding="ascii"), encoding="ascii")
    remembered.unlink()
