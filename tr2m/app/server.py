"""The page served on this machine: to nobody else unless asked, and asking nobody else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import gradio
from gradio.themes import Base
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tr2m.app.limits import MAX_FILE_MB, MAX_WAITING
from tr2m.errors import UserError

HOST = "127.0.0.1"
STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "connect-src 'self' data: blob:; object-src 'none'; form-action 'self'"
)
"""The browser loads nothing from elsewhere, whatever the page would like."""


class ContentSecurityPolicy:
    """Adds POLICY to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, send_with_policy)


def theme() -> Base:
    """One accent colour; fonts that every machine has: gradio's own would be fetched from Google."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    return Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="zinc",
        radius_size="lg",
        font=fonts,
        font_mono=["ui-monospace", "monospace"],
    ).set(
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_text_color="white",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
    )


def check_port(port: int) -> None:
    """Raise UserError if nothing can listen at `port`."""
    try:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((HOST, port))
    except (OSError, OverflowError) as error:
        raise UserError(f"--port {port}: {error}; give another one") from error


def start(page: gradio.Blocks, port: int, share: bool = False) -> tuple[str, str | None]:
    """Serve `page` from a thread of its own. Returns its address on this machine and, with `share`, a public one.

    Raises:
        UserError: the port is taken, or no public address could be opened.
    """
    check_port(port)
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=1)
    _, address, public = page.launch(
        server_name=HOST,
        server_port=port,
        share=share,
        max_file_size=f"{MAX_FILE_MB}mb",
        app_kwargs={"middleware": [Middleware(ContentSecurityPolicy)]},
        theme=theme(),
        css=STYLE,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        quiet=True,
        prevent_thread_lock=True,
    )
    if share and public is None:
        page.close()
        raise UserError("--share: no public address could be opened; is there a network? Leave --share out")
    return address, public
