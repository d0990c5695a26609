"""Which file system a folder lies on, as far as an outbox has to know.

SQLite's write-ahead log shares its index between processes through mapped memory, which no network
file system keeps coherent (sqlite.org/wal.html, section 1, read 2026-11).
"""

from __future__ import annotations

import os

NETWORK = frozenset(
    (
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.gcsfuse",
        "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre",
        "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf",
        "virtiofs",
    )
)  # fmt: skip
"""Types as Linux names them: of a network, or of a host that shares its disk with its guest."""
_MOUNTS = "/proc/self/mountinfo"
_OCTAL_SPACE = "\\040"


def network_type(folder: str, mounts: str = _MOUNTS) -> str | None:
    """The type of the network file system that holds the folder.

    None for a local one, and where the system does not tell (only Linux does).
    """
    found = _type_at(folder, mounts)
    return found if found in NETWORK else None


def _type_at(folder: str, mounts: str) -> str | None:
    try:
        real = os.path.realpath(folder)
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            entries = [_entry(line) for line in lines]
    except OSError:
        return None
    holding = [entry for entry in entries if _holds(entry[0], real)]
    # The longest mount point is the nearest; of two on the same one the later covers the other.
    return max(enumerate(holding), key=lambda e: (len(e[1][0]), e[0]))[1][1] if holding else None


def _entry(line: str) -> tuple[str, str]:
    """Mount point and type: proc(5), `36 35 98:0 /root /point options - ext4 source options`."""
    before, _, after = line.partition(" - ")
    fields = before.split(" ")
    point = fields[4] if len(fields) > 4 else ""  # noqa: PLR2004 - the fifth field of proc(5)
    return point.replace(_OCTAL_SPACE, " "), after.partition(" ")[0]


def _holds(point: str, folder: str) -> bool:
    return bool(point) and (folder == point or folder.startswith(point.rstrip("/") + "/"))
