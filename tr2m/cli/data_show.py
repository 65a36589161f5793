"""python scripts/data.py show: a picture of a few frames of a data set."""

from __future__ import annotations

from pathlib import Path

from tr2m.cli.hydra_app import settings_of


def main(arguments: list[str]) -> None:
    settings = settings_of("data_show", arguments)

    # After the cheap checks, so that a typing mistake is answered at once.
    from tr2m.build import build
    from tr2m.data.sampling import choose_frames
    from tr2m.drawing.contact_sheet import save_contact_sheet
    from tr2m.errors import UserError
    from tr2m.experiment.compose import build_scored
    from tr2m.preparation.without_captions import without_captions

    config = settings["dataset"]
    split = settings["split"] or config["eval_split"]
    frames_only = {**config, "reader": without_captions(config["reader"]), "eval_split": split}
    scored = build_scored(frames_only, settings["protocol"])[0]
    if "captions" in config["reader"]:
        try:
            scored.dataset.captions = build(config["reader"]["captions"])
        except UserError as error:
            print(f"shown without captions: {error}")
    name = f"{scored.dataset.name}_{split}.png"
    path = Path(settings["out"] or Path(settings["paths"]["outputs"], "contact_sheets", name))
    indices = choose_frames(scored.dataset.sample_ids, settings["n"], settings["seed"])
    save_contact_sheet(path, scored.dataset, scored.protocol, indices)
    print(f"written: {path.absolute()}")
