"""The paper's figures 3, 4, 5, 7, and two of our own, from checkpoints.

usage: tr2m figures ckpt=<file> data=<name> [key=value ...]

    tr2m figures ckpt=outputs/demo/<run>/checkpoints/last.pt data=demo figure=maps
    tr2m figures ckpt=<with contrast> 'compare={without contrast: <checkpoint>}' figure=5
"""

from __future__ import annotations

from typing import Any

from tr2m.cli.options.app import hydra_app

FORMATS = ("png", "pdf")


@hydra_app("figures")
def main(config: dict[str, Any]) -> None:
    from pathlib import Path

    from tr2m import load_model
    from tr2m.build import read_settings
    from tr2m.errors import UserError
    from tr2m.experiment.compose import build_evaluation_sets, pick_device
    from tr2m.experiment.load import check_unit
    from tr2m.experiment.settings import FigureSettings
    from tr2m.paper.figures.frames import read_frames
    from tr2m.paper.figures.panels import save_comparison, save_corrections, save_maps
    from tr2m.paper.figures.relations import save_embedding, save_scale_relation

    settings = read_settings(FigureSettings, config)
    if settings.format not in FORMATS:
        raise UserError(f"format={settings.format}: expected one of {', '.join(FORMATS)}")
    known = ("3", "4", "5", "7", "maps", "scale")
    wanted = known if settings.figure == "all" else (str(settings.figure),)
    if unknown := set(wanted) - set(known):
        raise UserError(f"figure={unknown.pop()}: expected one of {', '.join(known)}, all")
    device = pick_device(settings.device)
    models = {settings.label: load_model(settings.ckpt, device)}
    models |= {label: load_model(path, device) for label, path in (settings.compare or {}).items()}
    sets = [build_evaluation_sets(dataset)[0] for dataset in settings.data.datasets.values()]
    for model in models.values():
        for entry in sets:
            check_unit(model, entry.dataset.unit, entry.dataset.name)
    folder = Path(settings.ckpt).absolute().parent.parent / "figures"
    folder = Path(settings.out) if settings.out else folder

    suffix, frames = settings.format, read_frames(models, sets, settings.frames, device)
    firsts = [some[0] for some in frames.values()]
    if "3" in wanted:
        for dataset, some in frames.items():
            save_comparison(folder / f"figure3_{dataset}.{suffix}", some)
    if "4" in wanted:
        save_corrections(folder / f"figure4.{suffix}", firsts)
    if "7" in wanted:
        save_comparison(folder / f"figure7.{suffix}", firsts)
    if "maps" in wanted:
        save_maps(folder / f"maps.{suffix}", firsts)
    if {"5", "scale"} & set(wanted):
        many = read_frames(models, sets, settings.scatter_frames, device)
        if "5" in wanted:
            save_embedding(folder / f"figure5.{suffix}", [frame for some in many.values() for frame in some])
        if "scale" in wanted:
            save_scale_relation(folder / f"scale.{suffix}", many)
    print("\n".join(f"written: {path}" for path in sorted(folder.glob(f"*.{suffix}"))))
