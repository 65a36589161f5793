"""Metric depth of photos and sentences: a photo, a folder of photos, a video, or a table of photos and sentences."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from difflib import get_close_matches
from pathlib import Path

from tr2m.cli.options.flags import flag_parser, given_path, parse_flags
from tr2m.errors import UserError

EXAMPLES = (
    'tr2m predict photo.jpg "a narrow kitchen"',
    'tr2m predict photos "a street" --text "a wide road" --out depth --resume',
    'tr2m predict clip.mp4 "a corridor of an office" --smooth 0.9',
    "tr2m predict photos.csv --ckpt last.pt --batch-size 8",
    'tr2m predict photo.jpg "a street" --save depth,points,mesh --fov-deg 65',
)
CLIP_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
"""Of what is taken as a video; FFmpeg decides what can be decoded."""
SMOOTH = 0.8
"""Our choice (docs/choices.md): the maps of the last five frames or so count."""
DEFAULT_KINDS = ["depth", "colour"]
KINDS = ("depth", "colour", "maps", "points", "mesh")


def main(arguments: list[str]) -> None:
    parser = flag_parser("predict", __doc__, EXAMPLES)
    parser.add_argument(
        "given",
        nargs="*",
        metavar="photo and sentence",
        help="a photo (JPEG, PNG, WebP, TIFF, HEIC), a folder of them with its subfolders, a video, or a .csv with the "
        "columns image and caption; then, but for a .csv, a sentence about the picture, in quotes",
    )
    parser.add_argument("--image", type=given_path, help="the photo, folder or .csv, instead of the first argument")
    parser.add_argument(
        "--text",
        action="append",
        default=[],
        help="a sentence, instead of the second argument or beside it; where there are several, the predictions are "
        "averaged, and --save maps has their spread",
    )
    parser.add_argument(
        "--ckpt",
        default=Path("released"),
        type=given_path,
        help="released (the authors' file in $TR2M_WEIGHTS/tr2m), or what tr2m train or export wrote (%(default)s)",
    )
    parser.add_argument("--out", default=Path("predictions"), type=given_path, help="folder to write to (%(default)s)")
    parser.add_argument(
        "--resume", action="store_true", help="leave out photos whose prediction by the same command is in --out"
    )
    parser.add_argument("--batch-size", type=int, help="photos of one size at once (8 on a GPU, 1 on a CPU)")
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
        type=kinds_of,
        default=DEFAULT_KINDS,
        help=f"what is written, of {','.join(KINDS)}: points is a coloured cloud (.ply), mesh a textured surface "
        "(.glb) (depth,colour)",
    )
    parser.add_argument(
        "--smooth",
        type=float,
        help="for a video: how much of the scale and shift maps is kept from frame to frame of a shot, from 0 (off) to "
        f"below 1 ({SMOOTH})",
    )
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument("--focal-px", type=float, help="focal length in pixels of the photo, for points and mesh")
    camera.add_argument("--fov-deg", type=float, help="horizontal field of view in degrees, instead of --focal-px")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<number> or mps (%(default)s)")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "float32", "bfloat16"),
        help="of the networks; auto is bfloat16 where the device multiplies in it, else float32",
    )
    given = with_given(parse_flags(parser, arguments))
    if given.image.suffix.lower() in CLIP_SUFFIXES:
        run_clip(given)
    else:
        run(given)


def kinds_of(text: str) -> list[str]:
    """The type of --save."""
    kinds = [kind.strip() for kind in text.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            close = get_close_matches(kind, KINDS, n=1)
            advice = f"did you mean {close[0]}?" if close else f"expected some of {','.join(KINDS)}"
            raise ArgumentTypeError(f"{kind!r} is nothing to save; {advice}")
    return kinds


def with_given(arguments: Namespace) -> Namespace:
    """The arguments, with photo and sentence in `image` and `text` however they were given. Raises UserError if one of
    them is missing, given twice, or was not in quotes.
    """
    words = list(arguments.given)
    if words and arguments.image:
        raise UserError(
            f"got the photo twice, {words[0]} and --image {arguments.image}: a sentence beside it is --text"
        )
    if len(words) > 2:
        raise UserError(
            f'expected a photo and a sentence, got {len(words)}: put the sentence in quotes, "a narrow kitchen"'
        )
    if not arguments.image and not any(words[:1]):
        raise UserError('no photo: tr2m predict photo.jpg "a narrow kitchen"')
    arguments.image = arguments.image or Path(words[0])
    arguments.text = [*words[1:], *arguments.text]
    if not all(text.strip() for text in arguments.text):
        raise UserError("the sentence is empty: TR2M needs a sentence about the picture")
    if arguments.batch_size is not None and arguments.batch_size < 1:
        raise UserError(f"--batch-size {arguments.batch_size}: expected at least 1")
    if (arguments.focal_px, arguments.fov_deg) != (None, None) and not {"points", "mesh"} & set(arguments.save):
        raise UserError("--focal-px and --fov-deg are for points and meshes: add --save depth,colour,points")
    return arguments


def run(arguments: Namespace) -> None:
    """Predict every photo and write its files. Raises UserError for what the user can fix."""
    if arguments.smooth is not None:
        raise UserError(f"--smooth is for videos, {arguments.image} is none: leave it out")
    # After the cheap checks, so that a typing mistake is answered at once.
    from tr2m.inference import photos

    chosen, others = photos.find_photos(arguments.image, arguments.text)
    if arguments.relative_depth:
        chosen = photos.with_relative_depth(chosen, arguments.relative_depth)

    from tr2m.experiment.compose import pick_device
    from tr2m.experiment.load import check_unit, checkpoint_sha256, load_model
    from tr2m.inference.files import check_out
    from tr2m.inference.resume import unfinished
    from tr2m.inference.run import PredictSettings, predict_photos, problems
    from tr2m.models.frozen.precision import name_of, pick_precision

    check_out(arguments.out, [photo.name for photo in chosen])
    device = pick_device(arguments.device)
    settings = PredictSettings(
        out=arguments.out,
        kinds=tuple(arguments.save),
        checkpoint=str(arguments.ckpt),
        checkpoint_sha256=checkpoint_sha256(arguments.ckpt),
        precision=name_of(pick_precision(arguments.precision, device, training=False)),
        input_size=arguments.input_size,
        model_unit=arguments.unit,
        unit=arguments.save_unit,
        focal_px=arguments.focal_px,
        fov_deg=arguments.fov_deg,
        batch_size=arguments.batch_size or (8 if device.type == "cuda" else 1),
    )
    todo = unfinished(chosen, settings) if arguments.resume else chosen
    if others:
        left_out = f"{arguments.image}: left out {len(others)} files that are no photos"
        print(f"{left_out}: {photos.listing(others)}", file=sys.stderr)
    failed: dict[photos.Photo, str] = {}
    if todo:
        model = load_model(arguments.ckpt, device, precision=settings.precision)
        check_unit(model, arguments.unit, "--unit")
        failed = predict_photos(model, todo, settings)
    if len(chosen) > 1 or not todo:
        before = f", {len(chosen) - len(todo)} earlier" if arguments.resume else ""
        counts = f"{len(todo) - len(failed)} of {len(chosen)} photos predicted{before}, {len(failed)} failed"
        print(f"{counts}; written to {arguments.out}")
    if failed:
        raise UserError("\n       ".join(problems(failed)))


def run_clip(arguments: Namespace) -> None:
    """Predict the video `arguments.image`. Raises UserError for what the user can fix."""
    for flag in ("relative_depth", "focal_px", "fov_deg", "batch_size"):
        if getattr(arguments, flag) is not None:
            raise UserError(f"--{flag.replace('_', '-')} is for photos, {arguments.image} is a video: leave it out")
    if arguments.save != DEFAULT_KINDS or arguments.save_unit != "m":
        raise UserError(
            f"--save and --save-unit are for photos: of the video {arguments.image} a film is written, and depth.h5 in "
            "--unit"
        )

    from tr2m.experiment.compose import pick_device
    from tr2m.experiment.load import check_unit, checkpoint_sha256, load_model
    from tr2m.inference.files import check_out
    from tr2m.inference.inputs import captions_of
    from tr2m.models.frozen.precision import name_of
    from tr2m.video.clip import Clip
    from tr2m.video.predict import check_smooth, predict_clip

    smooth = SMOOTH if arguments.smooth is None else arguments.smooth
    check_smooth(smooth)
    sentences, clip = captions_of(arguments.text), Clip.open(arguments.image)
    folder = arguments.out / arguments.image.stem
    check_out(arguments.out, [folder.name])
    model = load_model(arguments.ckpt, pick_device(arguments.device), precision=arguments.precision)
    check_unit(model, arguments.unit, "--unit")
    predict_clip(
        model,
        clip,
        sentences,
        folder,
        smooth=smooth,
        unit=arguments.unit,
        input_size=arguments.input_size,
        facts={
            "checkpoint": str(arguments.ckpt),
            "checkpoint_sha256": checkpoint_sha256(arguments.ckpt),
            "precision": name_of(model.precision),
        },
        resume=arguments.resume,
    )
    print(f"{arguments.image.name}: {clip.frames} frames; written to {folder}")
