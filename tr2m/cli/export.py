"""Publish a checkpoint's weights: python scripts/export.py --ckpt last.pt --out <new folder>"""

from __future__ import annotations

import argparse
from pathlib import Path

from tr2m.cli.hydra_app import with_plain_errors


def main() -> None:
    with_plain_errors(run)


def run() -> None:
    parser = argparse.ArgumentParser(description="Write model.safetensors and config.json, which hold no code.")
    parser.add_argument("--ckpt", required=True, type=Path, help="checkpoint that train.py wrote")
    parser.add_argument(
        "--out", required=True, type=Path, help="new folder; predict.py and eval.py take it as a checkpoint"
    )
    arguments = parser.parse_args()

    from tr2m.training.run.published import publish

    publish(arguments.ckpt, arguments.out)
    print(f"written: {arguments.out}")
