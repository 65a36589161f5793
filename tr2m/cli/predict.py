"""Metric depth of a photo, or of a folder of photos, and a sentence."""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tr2m.cli.options.flags import flag_parser, given_path, parse_flags
from tr2m.errors import UserError

if TYPE_CHECKING:
    from tr2m.inference.predict import Prediction

EXAMPLES = (
    'tr2m predict --ckpt last.pt --image photo.jpg --text "a narrow kitchen"',
    'tr2m predict --ckpt last.pt --image photos --text "a street" --text "a wide road" --out depth',
    'tr2m predict --ckpt last.pt --image photo.jpg --text "a street" --save depth points mesh --fov-deg 65',
)


def main(arguments: list[str]) -> None:
    parser = flag_parser("predict", __doc__, EXAMPLES)
    parser.add_argument(
        "--ckpt", required=True, type=given_path, help="what tr2m train or export wrote, the authors' file, or released"
    )
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
        "--relative-depth",
        type=given_path,
        help="a .npy file, or a folder with <photo's name>.npy for each: for checkpoints trained on it",
    )
    parser.add_argument("--input-size", type=int, help="shorter side the network sees (as in training)")
    parser.add_argument(
        "--unit",
        default="m",
        choices=("m", "mm"),
        help="the unit of the model's depth for such pictures: mm for endoscopy, else m (%(default)s)",
    )
    parser.add_argument("--save-unit", default="m", choices=("m", "mm"), help="of the .npy files (%(default)s)")
    parser.add_argument(
        "--save",
        nargs="+",
        default=["depth", "colour", "maps"],
        choices=("depth", "colour", "maps", "points", "mesh"),
        help="what is written: points is a coloured cloud (.ply), mesh a textured surface (.glb) (depth colour maps)",
    )
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument("--focal-px", type=float, help="focal length in pixels of the photo, for points and mesh")
    camera.add_argument("--fov-deg", type=float, help="horizontal field of view in degrees, instead of --focal-px")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<number> or mps (%(default)s)")
    run(parse_flags(parser, arguments))


def save_3d(prediction: Prediction, photo: Path, arguments: Namespace, folder: Path) -> dict[str, Any]:
    """Write the points and the mesh of a photo into `folder`. Returns what prediction.json states about them."""
    from tr2m.data.decoding.decode import read_rgb
    from tr2m.points.camera import Camera
    from tr2m.points.files import save_scene

    image, metres = read_rgb(photo), prediction.in_unit("m")
    size = (image.shape[0], image.shape[1])
    if arguments.focal_px is not None:
        camera = Camera.from_focal_px(size, arguments.focal_px)
    elif arguments.fov_deg is not None:
        camera = Camera.from_fov_deg(size, arguments.fov_deg)
    else:
        camera = Camera.of_photo(size, photo)
    if camera.is_assumed:
        print(f"{photo.name}: no focal length, {camera.source}; give --focal-px or --fov-deg", file=sys.stderr)
    return save_scene(folder, metres.metric_depth, metres.shift_map, image, camera, arguments.save)


def run(arguments: Namespace) -> None:
    """Predict every image and write its files. Raises UserError for what the user can fix."""
    if not all(text.strip() for text in arguments.text):
        raise UserError("--text is empty: TR2M needs a sentence about the picture")
    # After the cheap checks, so that a typing mistake is answered at once.
    from tqdm import tqdm

    from tr2m import load_model
    from tr2m.experiment.compose import pick_device
    from tr2m.experiment.load import check_unit
    from tr2m.inference import files
    from tr2m.inference.inputs import describe_captions
    from tr2m.inference.predict import predict

    images, others = files.list_images(arguments.image)
    names = files.prediction_names(images)
    files.check_out(arguments.out, names)
    given = files.relative_depth_files(arguments.relative_depth, images, names) if arguments.relative_depth else {}
    if others:
        print(
            f"{arguments.image}: left out, since not {files.expected_endings()}: {', '.join(others)}", file=sys.stderr
        )
    model = load_model(arguments.ckpt, pick_device(arguments.device))
    check_unit(model, arguments.unit, "--unit")
    facts = {"captions": describe_captions(arguments.text), "checkpoint": str(arguments.ckpt)}
    problems: dict[str, None] = {}
    for image, name in zip(tqdm(images, desc="predict", disable=len(images) == 1), names, strict=True):
        try:
            relative_depth = files.read_relative_depth(given[image]) if given else None
            prediction = predict(model, image, arguments.text, arguments.input_size, relative_depth, arguments.unit)
        except UserError as error:
            # One bad file must not cost the rest of a folder; it is named at the end.
            problems[f"{image}: {error}" if len(images) > 1 and str(image) not in str(error) else str(error)] = None
            continue
        more = partial(save_3d, prediction, image, arguments) if {"points", "mesh"} & set(arguments.save) else None
        converted = prediction.in_unit(arguments.save_unit)
        folder = files.save_prediction(
            converted, arguments.out / name, {"image": str(image), **facts}, arguments.save, more
        )
        low, middle, high = prediction.quantiles()
        bad = f"; {prediction.nonfinite_pixels:,} pixels are NaN or infinite" if prediction.nonfinite_pixels else ""
        depth = f"{low:.3g} to {high:.3g} {prediction.unit} (5 % to 95 %), median {middle:.3g} {prediction.unit}"
        tqdm.write(f"{image.name}: {depth}{bad}; written to {folder}")
    if problems:
        raise UserError("\n       ".join(problems))
