"""Metric depth of a photo, or of a folder of photos, and a sentence."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from tr2m.cli.options.flags import flag_parser, given_path, parse_flags
from tr2m.errors import UserError

EXAMPLES = (
    'tr2m predict --ckpt last.pt --image photo.jpg --text "a narrow kitchen"',
    'tr2m predict --ckpt last.pt --image photos --text "a street" --text "a wide road" --out depth',
)


def main(arguments: list[str]) -> None:
    parser = flag_parser("predict", __doc__, EXAMPLES)
    parser.add_argument("--ckpt", required=True, type=given_path, help="what tr2m train or export wrote")
    parser.add_argument("--image", required=True, type=given_path, help="a JPEG or PNG file, or a folder of them")
    parser.add_argument(
        "--text",
        required=True,
        action="append",
        help='a sentence about the picture, such as "a narrow kitchen"; given again, the predictions are averaged and '
        "their spread is written",
    )
    parser.add_argument("--out", default=Path("predictions"), type=given_path, help="folder to write to (%(default)s)")
    parser.add_argument(
        "--relative-depth", type=given_path, help="a .npy file, for checkpoints trained on stored relative depth"
    )
    parser.add_argument("--input-size", type=int, help="shorter side the network sees (as in training)")
    parser.add_argument(
        "--unit",
        default="m",
        choices=("m", "mm"),
        help="what the model speaks for such pictures: mm for endoscopy, else m (%(default)s)",
    )
    parser.add_argument("--save-unit", default="m", choices=("m", "mm"), help="of the .npy files (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<number> (%(default)s)")
    run(parse_flags(parser, arguments))


def run(arguments: Namespace) -> None:
    """Predict every image and write its files. Raises UserError for what the user can fix."""
    if not all(text.strip() for text in arguments.text):
        raise UserError("--text is empty: TR2M needs a sentence about the picture")
    # After the cheap checks, so that a typing mistake is answered at once.
    from tqdm import tqdm

    from tr2m import load_model
    from tr2m.data.decoding.decode import read_rgb
    from tr2m.experiment.compose import pick_device
    from tr2m.experiment.load import check_unit
    from tr2m.inference import list_images, predict, read_relative_depth, save_prediction

    paths = list_images(arguments.image)
    device = pick_device(arguments.device)
    model = load_model(arguments.ckpt, device)
    check_unit(model, arguments.unit, "--unit")
    stored = read_relative_depth(arguments.relative_depth) if arguments.relative_depth else None
    problems = []
    for path in tqdm(paths, desc="predict", disable=len(paths) == 1):
        try:
            image = read_rgb(path)
        except UserError as error:
            # One bad file must not cost the rest of a folder; it is told at the end.
            problems.append(str(error))
            continue
        prediction = predict(model, image, arguments.text, arguments.input_size, stored, arguments.unit)
        folder = save_prediction(prediction.in_unit(arguments.save_unit), arguments.out / path.stem)
        low, middle, high = prediction.quantiles()
        depth = f"{low:.3g} to {high:.3g} {prediction.unit} (5 % to 95 %), median {middle:.3g} {prediction.unit}"
        tqdm.write(f"{path.name}: {depth}; written to {folder}")
    if problems:
        raise UserError("\n       ".join(problems))
