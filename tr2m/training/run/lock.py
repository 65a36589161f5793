"""One program at a time writes into a run folder, also where several machines share it."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from tr2m.errors import UserError
from tr2m.training.run.log_failures import log_failures

logger = logging.getLogger(__name__)

FILE = "run.lock"
HEARTBEAT = 20.0
"""Seconds between two signs of life of a run."""
PATIENCE = 90.0
"""Seconds without one after which a run on another machine is dead. A client of NFS may see a change a minute late."""
HELD = {errno.EACCES, errno.EAGAIN}
UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class RunTakenOverError(UserError):
    """Another program writes into the folder of this run, which therefore stops without writing anything more."""


class RunLock:
    """`run.lock` in a run folder: locked by the kernel while its holder lives, and naming it.

    The kernel releases the lock of a process that dies, however it dies, and NFS (version 4) that of a machine. Some
    file systems have no locks, or locks that other machines do not see. So the file also holds the host, the process
    and the time at which it took the lock, and its modification time is renewed: a holder on another machine whose lock
    can be had counts as dead only if it is not renewed. An orderly end empties the file.

    A POSIX lock belongs to the process: loading processes do not inherit it, and two runs in one process do not see
    each other.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._file: int | None = None
        self._record = ""
        self._ended = Event()
        self._heartbeat: Thread | None = None

    def acquire(self) -> None:
        """Make the folder and take its lock, unless this object holds it. Raises UserError that names the holder."""
        if self._file is not None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open_unused()
        except OSError as error:
            raise UserError(f"{self.path} cannot be written ({error.strerror}); set paths.outputs") from error
        file = self._file
        self._record = f"{socket.gethostname()} process {os.getpid()} since {datetime.now(UTC).isoformat()}\n"
        os.ftruncate(file, 0)
        os.pwrite(file, self._record.encode(), 0)
        os.fsync(file)
        self._ended.clear()
        self._heartbeat = Thread(target=self._renew, args=(file,), daemon=True)
        self._heartbeat.start()

    def confirm(self) -> None:
        """Raise RunTakenOverError if another program took the lock from this one, which happens where somebody deleted
        the file, or where locks do not reach other machines and this one stood still.
        """
        if self._file is None:
            return
        try:
            same = self.path.stat().st_ino == os.fstat(self._file).st_ino and self._read(self._file) == self._record
        except FileNotFoundError:
            same = False
        if not same:
            raise RunTakenOverError(
                f"{self.path} is no longer this process's: another one has taken this run over. This one stops without "
                "writing anything more"
            )

    def release(self) -> None:
        """Let the next program have the folder; nothing happens if this one does not hold it."""
        if self._file is None:
            return
        self._ended.set()
        if self._heartbeat is not None:
            self._heartbeat.join()
        if self._read(self._file) == self._record:
            os.ftruncate(self._file, 0)
        os.close(self._file)
        self._file = None

    def abandon(self) -> None:
        """Release the lock of a run that was refused, and remove its folder if there is nothing else in it."""
        if self._file is None:
            return
        self.release()
        if list(self.path.parent.iterdir()) == [self.path]:
            self.path.unlink()
            self.path.parent.rmdir()

    def _open_unused(self) -> int:
        file, holder, locked = self._open()
        if not holder or (locked and holder.split()[0] == socket.gethostname()):
            return file
        os.close(file)
        self._wait_for_heartbeat(holder)
        file, again, _ = self._open()
        if again != holder:
            os.close(file)
            raise self._refusal(again)
        return file

    def _open(self) -> tuple[int, str, bool]:
        """The open file, whom it names, and whether the kernel locked it. Raises UserError if another process has it
        locked.
        """
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except OSError as error:
            if error.errno in HELD:
                refusal = self._refusal(self._read(file))
                os.close(file)
                raise refusal from None
            if error.errno not in UNSUPPORTED:
                raise
            logger.warning("%s: this file system has no locks (%s)", self.path, error.strerror)
            locked = False
        return file, self._read(file), locked

    def _read(self, file: int) -> str:
        return os.pread(file, 1000, 0).decode(errors="replace")

    def _refusal(self, holder: str) -> UserError:
        return UserError(
            f"run folder {self.path.parent} is in use by {holder.strip() or 'a process that has just started'}. Wait "
            "for it, stop it there, or name another run_id. Only if it is certainly dead, "
            f"delete {self.path} and try again"
        )

    def _wait_for_heartbeat(self, holder: str) -> None:
        """Raise UserError as soon as the file is renewed; return if it is not for PATIENCE seconds."""
        logger.info("%s names %s: waiting up to %g s for a sign of life", self.path, holder.strip(), PATIENCE)
        first, end = self._renewed_at(), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(PATIENCE / 50)
            if self._renewed_at() != first:
                raise self._refusal(holder)
        logger.warning("%s: no sign of life of %s, its run is taken over", self.path, holder.strip())

    def _renewed_at(self) -> int:
        # Opened each time: NFS looks for changes when a file is opened.
        with self.path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns

    def _renew(self, file: int) -> None:
        while not self._ended.wait(HEARTBEAT):
            with log_failures(FILE):
                os.utime(file)
