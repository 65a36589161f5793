"""Files fetched from the web: HTTPS, of a known size and checksum, going on where a broken download stopped."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tqdm import tqdm

from tr2m.errors import UserError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TIMEOUT_S = 60
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Download:
    """A file on the web.

    Args:
        url: https; plain http only on this very machine.
        size: bytes.
        checksum: "sha256:<hex>", or "md5:<hex>" where the owner publishes nothing better.
    """

    url: str
    size: int
    checksum: str

    def fetch(self, path: Path) -> None:
        """Write the file to `path`, which appears only when it is complete and right.

        What an interrupted call got stays in `<path>.part`, and the next call asks for the rest.
        Raises UserError: no https, no response, another size than `size`, another checksum.
        """
        part = path.with_name(f"{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.exists() else 0
        if have != self.size:
            try:
                self._receive(part, have if have < self.size else 0)
            except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
                raise UserError(
                    f"{self.url}: {error}. Run it again to continue, or fetch the file yourself, as {path}."
                ) from error
        if (got := part.stat().st_size) != self.size:
            raise UserError(
                f"{self.url}: the connection ended after {got} of {self.size} bytes. Run it again to continue."
            )
        if not has_checksum(part, self.checksum):
            part.unlink()
            raise UserError(
                f"{self.url}: the file does not have the checksum {self.checksum}: what came is not what its owner "
                "published. It was deleted; fetch it again, or from another network."
            )
        part.replace(path)

    def _receive(self, part: Path, have: int) -> None:
        _require_https(self.url)
        request = urllib.request.Request(self.url, headers={"Range": f"bytes={have}-"} if have else {})
        opener = urllib.request.build_opener(_HTTPSRedirects)
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            # 206: the rest, as asked. 200: the server does not know ranges and sends everything.
            have = have if response.status == 206 else 0
            self._check_size(response, have)
            with (
                part.open("r+b" if have else "wb") as sink,
                tqdm(total=self.size, initial=have, desc=part.stem, unit="B", unit_scale=True) as progress,
            ):
                sink.seek(have)
                while have < self.size and (block := response.read(min(_BLOCK, self.size - have))):
                    sink.write(block)
                    have += len(block)
                    progress.update(len(block))

    def _check_size(self, response: HTTPResponse, have: int) -> None:
        announced = response.headers.get("Content-Length")
        if announced is not None and have + int(announced) != self.size:
            raise UserError(
                f"{self.url}: the server announces {have + int(announced)} bytes, expected {self.size}. The file was "
                "exchanged: see the data set's page."
            )


class _HTTPSRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not out of https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_https(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise UserError(f"{url}: expected https, so that nobody on the way can exchange the file.")


def has_checksum(path: Path, checksum: str) -> bool:
    """Whether a file has the checksum "sha256:<hex>" or "md5:<hex>"."""
    algorithm, _, expected = checksum.partition(":")
    digest = hashlib.new(algorithm)
    with path.open("rb") as file, tqdm(total=path.stat().st_size, desc="checksum", unit="B", unit_scale=True) as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest() == expected
