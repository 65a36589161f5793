"""An app in the browser: a picture and sentences to metric depth, on this machine."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from tr2m.cli.options.flags import flag_parser, given_path, parse_flags
from tr2m.errors import UserError

EXAMPLES = ("tr2m app", "tr2m app --ckpt outputs/mixed4/<run>/checkpoints/last.pt --port 8000")


def main(arguments: list[str]) -> None:
    parser = flag_parser("app", __doc__, EXAMPLES)
    parser.add_argument(
        "--ckpt",
        default=Path("released"),
        type=given_path,
        help="what tr2m train or export wrote, the authors' file, or released (%(default)s)",
    )
    parser.add_argument("--port", default=7860, type=int, help="of 127.0.0.1 (%(default)s)")
    parser.add_argument(
        "--share",
        action="store_true",
        help="open a public address, too: gradio's servers then pass on every picture",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<number> or mps (%(default)s)")
    run(parse_flags(parser, arguments))


def run(arguments: Namespace) -> None:
    """Serve the app until it is interrupted. Raises UserError for what the user can fix."""
    try:
        import gradio  # noqa: F401  whether it is there, before the seconds that a model takes
        import trimesh  # noqa: F401  likewise: the page writes its point clouds with it
    except ModuleNotFoundError as error:
        raise UserError("the app needs gradio and trimesh: pip install 'tr2m[app]'") from error
    from tr2m import load_model
    from tr2m.app.examples import synthetic_examples
    from tr2m.app.page import build_page
    from tr2m.app.server import check_port, start
    from tr2m.experiment.compose import pick_device

    check_port(arguments.port)
    model = load_model(arguments.ckpt, pick_device(arguments.device))
    model.require_maps("app")
    with TemporaryDirectory(prefix="tr2m_examples_") as folder:
        page = build_page(model, str(arguments.ckpt), synthetic_examples(model, Path(folder)))
        address, public = start(page, arguments.port, arguments.share)
        print(f"tr2m app: {address}" + (f"   shared: {public}" if public else "") + "   Ctrl-C ends it", flush=True)
        page.block_thread()
