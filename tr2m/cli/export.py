"""Publish the weights of a checkpoint: model.safetensors and config.json, which hold no code."""

from __future__ import annotations

from tr2m.cli.options.flags import flag_parser, given_path, parse_flags

EXAMPLE = "tr2m export --ckpt outputs/mixed4/<run>/checkpoints/best.pt --out tr2m-mixed4"


def main(arguments: list[str]) -> None:
    parser = flag_parser("export", __doc__, [EXAMPLE])
    parser.add_argument("--ckpt", required=True, type=given_path, help="checkpoint that tr2m train wrote")
    parser.add_argument(
        "--out", required=True, type=given_path, help="new folder; tr2m predict and tr2m eval take it as a checkpoint"
    )
    options = parse_flags(parser, arguments)

    from tr2m.training.run.published import publish

    publish(options.ckpt, options.out)
    print(f"written: {options.out}")
