"""Describe every frame of a data set, in one file.

usage: tr2m captions dataset=<name> source=<name> [key=value ...]

    tr2m captions dataset=diode source=llava_vicuna
    tr2m captions dataset=folder root=my_rooms source=blip out=my_rooms/blip.sqlite
    tr2m captions dataset=nyuv2 source=rsa source.captions.root=RSA/text/text_all/nyu

A command that was stopped or killed resumes where it was. docs/preparing.md explains how the file is used.
"""

from __future__ import annotations

from pathlib import Path

from tr2m.cli.options.app import print_help, settings_of


def main(arguments: list[str]) -> None:
    if print_help("captions", __doc__, arguments):
        return
    config = settings_of("captions", arguments)

    # After the cheap checks, so that a typing mistake is answered at once.
    from tr2m.build import build, read_settings
    from tr2m.captioning.captioner import Captioner
    from tr2m.captioning.pack import pack_captions
    from tr2m.experiment.compose import pick_device
    from tr2m.experiment.settings import CaptionSettings

    settings = read_settings(CaptionSettings, config)
    captions, file = settings.source["captions"], Path(settings.out)
    splits = [settings.dataset.read_without_captions(split) for split in settings.dataset.splits]
    device = pick_device(settings.device)
    source = build(captions, "source.captions")
    if isinstance(source, Captioner):
        source.to(device)
    # Where the captions lay on this machine is no property of them.
    depend_on = {key: value for key, value in captions.items() if key != "root"}
    added = pack_captions(file, splits, source, depend_on, settings.save_every)
    print(f"{file}: {sum(map(len, splits)):,} frames, {added:,} of them new. docs/preparing.md explains how to use it.")
