"""Publish a checkpoint: as a folder (model.safetensors, config.json and a model card), as an ONNX file, or as a file in
the authors' format.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace

from tr2m.cli.options.flags import flag_parser, given_path, parse_flags
from tr2m.errors import UserError

EXAMPLES = [
    "tr2m export --ckpt outputs/mixed4/<run>/checkpoints/last.pt --out tr2m-mixed4 --results <run>/eval/nyuv2.json",
    "tr2m export --ckpt tr2m-mixed4 --push <owner>/tr2m-mixed4 --licence mit",
    'tr2m export onnx --ckpt released --out tr2m.onnx --text "a narrow kitchen"',
]
FORMATS = ("folder", "onnx", "released")


def main(arguments: list[str]) -> None:
    parser = flag_parser("export", __doc__, EXAMPLES)
    parser.usage = f"tr2m export [{'|'.join(FORMATS)}] --ckpt CKPT --out OUT [option ...]"
    parser.add_argument("--ckpt", required=True, type=given_path, help="what tr2m train wrote, or released")
    parser.add_argument(
        "--out",
        type=given_path,
        help="new folder, or new file of the other formats; folder and released are checkpoints for tr2m predict, too",
    )
    parser.add_argument(
        "--format",
        default="folder",
        choices=FORMATS,
        help="folder: model.safetensors, config.json, README.md; onnx: for onnxruntime, without torch; released: for "
        "the authors' code. May stand first, without the flag (%(default)s)",
    )
    card = parser.add_argument_group("folder")
    card.add_argument(
        "--results", nargs="+", default=[], type=given_path, help="result files of tr2m eval for the model card"
    )
    card.add_argument("--licence", help="of the trained weights, as the hub names it (mit); not stated without it")
    card.add_argument("--push", metavar="OWNER/NAME", help="upload it to the hub, with or without --out")
    onnx = parser.add_argument_group("onnx")
    onnx.add_argument(
        "--part",
        default="whole",
        choices=("whole", "trained"),
        help="whole: image and the sentence's feature to depth; trained: the frozen networks' outputs to depth "
        "(%(default)s)",
    )
    onnx.add_argument(
        "--size",
        type=height_x_width,
        help="of the images, as 434x560 (height x width); the first of training without it",
    )
    onnx.add_argument(
        "--text",
        action="append",
        default=[],
        help="a sentence whose feature is written beside the file, as .npz; again",
    )
    # The format may come first: tr2m export onnx --ckpt ...
    first = ["--format"] if arguments[:1] and arguments[0] in FORMATS else []
    options = parse_flags(parser, [*first, *arguments])
    if options.out is None and options.push is None:
        parser.error("give --out, or --push for the hub")
    refuse_unused(options)
    export_onnx_file(options) if options.format == "onnx" else export_weights(options)


def refuse_unused(options: Namespace) -> None:
    """Raise UserError for an option that the chosen format does not take."""
    unused = {
        "--results": bool(options.results) and options.format != "folder",
        "--licence": options.licence is not None and options.format != "folder",
        "--push": options.push is not None and options.format != "folder",
        "--part": options.part != "whole" and options.format != "onnx",
        "--size": options.size is not None and options.format != "onnx",
        "--text": bool(options.text) and options.format != "onnx",
    }
    if wrong := [flag for flag, given in unused.items() if given]:
        raise UserError(
            f"--format {options.format} takes no {', '.join(wrong)}; tr2m export --help lists what takes them"
        )


def export_weights(options: Namespace) -> None:
    from tr2m.experiment.load import read_trained
    from tr2m.experiment.released import write_released
    from tr2m.sharing.hub import push_to_hub
    from tr2m.sharing.model_card import model_card, read_results
    from tr2m.training.run.published import publish

    state = read_trained(options.ckpt)
    if options.format == "released":
        write_released(options.out, state["model"], str(options.ckpt))
    elif options.out is not None:
        card = model_card(state, read_results(options.results, state), options.licence)
        publish(state, str(options.ckpt), options.out, card)
    if options.out is not None:
        print(f"written: {options.out}")
    if options.push is not None:
        print(f"uploaded: {push_to_hub(options.ckpt, options.push, options.results, options.licence)}")


def export_onnx_file(options: Namespace) -> None:
    from tr2m.experiment.load import load_model
    from tr2m.sharing.onnx_file import export_onnx, save_captions

    model = load_model(options.ckpt, precision="float32")
    facts = export_onnx(model, options.out, options.part, options.size)
    print("\n".join(f"{name:14} {value}" for name, value in facts.items()))
    print(f"written: {options.out}, the same as PyTorch to 1e-4")
    if options.text:
        beside = options.out.with_suffix(".npz")
        save_captions(model, options.text, beside)
        print(f"written: {beside}")


def height_x_width(text: str) -> tuple[int, int]:
    """The type of a flag such as 434x560."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise ArgumentTypeError(f"got {text!r}, expected height x width in pixels, as 434x560")
    return int(match[1]), int(match[2])
