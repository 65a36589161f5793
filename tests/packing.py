"""Zip and tar archives for tests, harmless or not, and a web server on this machine that hands out files."""

from __future__ import annotations

import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Files = dict[str, bytes]


def make_zip(path: Path, files: Files, modes: dict[str, int] | None = None) -> Path:
    """A zip archive; `modes` are st_mode values of members that are no plain files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes or {}).get(name, 0o100644) << 16
            archive.writestr(info, content)
    return path


def with_method(archive: Path, method: int) -> None:
    """Change how the last member of a zip archive says it is compressed, in its own header and in the directory."""
    content = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = content.rindex(mark) + offset
        content[start : start + 2] = method.to_bytes(2, "little")
    archive.write_bytes(content)


def make_tar(path: Path, files: Files, kinds: dict[str, bytes] | None = None) -> Path:
    """A tar archive, gzipped if its name says so; `kinds` are tarfile's types of members that are no plain files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type = (kinds or {}).get(name, tarfile.REGTYPE)
            info.size, info.linkname = (len(content), "") if info.isreg() else (0, content.decode())
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


class RangeHandler(SimpleHTTPRequestHandler):
    """Serves a folder; knows `Range: bytes=<first>-`, and breaks the connection after `cut` bytes if asked to."""

    requests: list[str | None]
    cut: int | None
    ranges: bool

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://example.com/file")
            self.end_headers()
            return
        content = Path(self.translate_path(self.path)).read_bytes()
        asked = self.headers["Range"]
        self.requests.append(asked)
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        self.wfile.write(content[first : self.cut])

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def served(folder: Path, cut: int | None = None, ranges: bool = True) -> Iterator[tuple[str, list[str | None]]]:
    """The address of a server for `folder`, and the list of the ranges that it was asked for."""
    requests: list[str | None] = []
    handler = type("Handler", (RangeHandler,), {"requests": requests, "cut": cut, "ranges": ranges})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", requests
        finally:
            server.shutdown()
            thread.join()
