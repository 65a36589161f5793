"""Publish the weights of a checkpoint: model.safetensors and config.json, or a file in the authors' format."""

from __future__ import annotations

from tr2m.cli.options.flags import flag_parser, given_path, parse_flags

EXAMPLE = "tr2m export --ckpt outputs/mixed4/<run>/checkpoints/best.pt --out tr2m-mixed4"


def main(arguments: list[str]) -> None:
    parser = flag_parser("export", __doc__, [EXAMPLE])
    parser.add_argument("--ckpt", required=True, type=given_path, help="what tr2m train wrote, or released")
    parser.add_argument(
        "--out",
        required=True,
        type=given_path,
        help="new folder, or new file with --format released; tr2m predict and tr2m eval take either as a checkpoint",
    )
    parser.add_argument(
        "--format",
        default="folder",
        choices=("folder", "released"),
        help="folder: model.safetensors and config.json; released: a file that the authors' code loads (%(default)s)",
    )
    options = parse_flags(parser, arguments)

    from tr2m.experiment.load import read_trained
    from tr2m.experiment.released import write_released
    from tr2m.training.run.published import publish

    state = read_trained(options.ckpt)
    if options.format == "released":
        write_released(options.out, state["model"])
    else:
        publish(state, str(options.ckpt), options.out)
    print(f"written: {options.out}")
