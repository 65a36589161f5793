"""The part of the Hugging Face hub's HTTP interface that uploads and downloads a repository, on 127.0.0.1."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

COMMIT = "c" * 40


class Hub(BaseHTTPRequestHandler):
    repositories: dict[str, dict[str, bytes]]
    """Files by name of each repository."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = self.path.strip("/").split("/")
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            self.repositories.setdefault(name if "/" in name else f"me/{name}", {})
            self.answer({"url": f"{self.address}/{name}", "id": name})
        elif parts[4:5] == ["preupload"]:
            files = json.loads(body)["files"]
            self.answer({"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]})
        elif parts[4:5] == ["commit"]:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.repositories["/".join(parts[2:4])][value["path"]] = base64.b64decode(value["content"])
            self.answer({"commitOid": COMMIT, "commitUrl": f"{self.address}/{'/'.join(parts[2:4])}/commit/{COMMIT}"})
        else:
            self.answer({})

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        files = self.repositories.get(name)
        if files is None:
            self.answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif parts[0] == "api" and parts[4:5] == ["tree"]:
            entries = [{"type": "file", "path": path, "size": len(c), "oid": digest(c)} for path, c in files.items()]
            self.answer(entries)
        elif parts[0] == "api":
            self.answer({"id": name, "sha": COMMIT, "siblings": [{"rfilename": path} for path in files]})
        elif (path := "/".join(parts[4:])) in files:
            facts = {"ETag": f'"{digest(files[path])}"', "X-Repo-Commit": COMMIT}
            self.send(200, files[path], facts)
        else:
            self.answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})

    do_HEAD = do_GET

    @property
    def address(self) -> str:
        return f"http://{self.headers['Host']}"

    def answer(self, content: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(code, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, code: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Nothing: a test prints what fails."""


def digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serve() -> Iterator[tuple[str, dict[str, dict[str, bytes]]]]:
    """The address of an empty hub, and its repositories."""
    repositories: dict[str, dict[str, bytes]] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneHub", (Hub,), {"repositories": repositories}))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", repositories
    finally:
        server.shutdown()
        server.server_close()
