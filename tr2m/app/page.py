"""The page: what a visitor gives on the left, what comes out on the right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio
import numpy as np
from jaxtyping import Float

from tr2m.app.answer import DOWNLOADS, Alternatives, answer
from tr2m.app.examples import Example
from tr2m.app.limits import MAX_FILE_MB, MAX_MEGAPIXELS, MAX_SENTENCES, checked_picture, sentences_of
from tr2m.app.map_view import map_view
from tr2m.app.views import compared_maps, main_maps, numbers
from tr2m.errors import UserError
from tr2m.experiment.load import check_unit
from tr2m.files import file_sha256
from tr2m.models.contract import RescalingModel
from tr2m.types import Unit

MAPS = ("depth", "scale", "shift", "spread")
COMPARED = ("first", "second", "difference")
HEADER = "<h1>TR2M</h1><p>Metric depth from one picture and one sentence. Checkpoint: <code>{}</code></p>"
WELCOME = (
    "<p>Choose a picture and describe it in a sentence.<br>With a second sentence you see what a word changes.</p>"
)
KEPT_SECONDS = 3600
"""How long files stay for download."""


def build_page(model: RescalingModel, checkpoint: str, examples: Sequence[Example] = ()) -> gradio.Blocks:
    """The page of a model; `checkpoint` is its name, for the visitor and for prediction.json."""
    trained = set((model.units or {}).values()) or {"m"}
    with gradio.Blocks(
        title="TR2M", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS), fill_width=True
    ) as page:
        gradio.HTML(HEADER.format(escape(checkpoint)), elem_id="header")
        with gradio.Row(equal_height=False):
            with gradio.Column(scale=2, min_width=320):
                picture = gradio.Image(
                    label="Picture", type="filepath", sources=["upload", "clipboard"], elem_id="picture"
                )
                # As it was uploaded: gradio would decode whatever it is before its size can be looked at.
                picture.preprocess = lambda payload: None if payload is None else payload.path
                text = gradio.Textbox(
                    label="Sentences, one a line",
                    placeholder="a narrow kitchen\na wide kitchen",
                    lines=3,
                    elem_id="sentences",
                )
                with gradio.Row():
                    unit = gradio.Radio(
                        ["m", "mm"],
                        value="m" if "m" in trained else "mm",
                        label="Unit",
                        info="mm for endoscopy",
                        elem_id="unit",
                        min_width=140,
                    )
                    fov = gradio.Number(
                        0, label="Field of view, degrees", info="0: from the photo", elem_id="fov", min_width=140
                    )
                button = gradio.Button("Predict depth", variant="primary", elem_id="predict")
                gradio.HTML(
                    f"<p>At most {MAX_FILE_MB} MB, {MAX_MEGAPIXELS} megapixels and {MAX_SENTENCES} sentences.</p>",
                    elem_classes="hint",
                )
                if examples:
                    pictures = gradio.Dataset(
                        label="Examples, of the synthetic world",
                        components=[picture],
                        samples=[[str(example.picture)] for example in examples],
                        type="index",
                        elem_id="examples",
                    )
            with gradio.Column(scale=5, min_width=480, elem_id="output"):
                # page.css hides one of the two: what gradio has not made visible yet cannot be drawn on.
                welcome = gradio.HTML(WELCOME, elem_id="welcome")
                with gradio.Column(elem_id="results"):
                    facts = gradio.HTML(elem_id="facts")
                    with gradio.Row(equal_height=False):
                        depth = map_view("main", "depth")
                        scene = scene_view()
                    with gradio.Row(equal_height=False):
                        others = [map_view("main", name) for name in MAPS[1:]]
                    with gradio.Column(visible=False) as comparison:
                        gradio.HTML("<h2>What a word changes</h2>")
                        with gradio.Row(visible=False) as choice:
                            first, second = (
                                gradio.Dropdown(label=label, type="index") for label in ("First", "Second")
                            )
                        with gradio.Row(equal_height=False):
                            pair = [map_view("compared", name) for name in COMPARED]
                    with gradio.Row():
                        downloads = [gradio.DownloadButton(name, size="sm", min_width=120) for name in DOWNLOADS]
        kept = gradio.State(time_to_live=KEPT_SECONDS)
        stored = {file_sha256(e.picture): e.relative_depth for e in examples if e.relative_depth is not None}
        handlers = Handlers(model, checkpoint, stored)
        outputs = [facts, depth, scene, *others, comparison, choice, first, second, *pair, *downloads]
        button.click(handlers.predict, [picture, text, unit, fov], [*outputs, kept], show_progress_on=[welcome, depth])
        if examples:
            chosen_example = [[str(e.picture), "\n".join(e.sentences), e.unit] for e in examples]
            pictures.click(chosen_example.__getitem__, pictures, [picture, text, unit], show_progress="hidden")
        for chosen in (first, second):
            chosen.input(compare, [kept, first, second], pair, show_progress="hidden")
    return page


def scene_view() -> gradio.Model3D:
    """The 3-D view, with a scene before it is seen: gradio 6.31 forgets the first while its viewer is loading."""
    import trimesh

    with TemporaryDirectory() as folder:
        trimesh.creation.box().export(first := Path(folder, "box.glb"))
        return gradio.Model3D(
            str(first),
            label="3-D, in metres",
            height=430,
            camera_position=(None, 75, None),
            interactive=False,
            elem_id="scene",
        )


@dataclass(frozen=True)
class Handlers:
    """What happens when a visitor presses the button."""

    model: RescalingModel
    checkpoint: str
    relative_depths: Mapping[str, Float[np.ndarray, "H W"]]
    """By the SHA-256 of the picture that it belongs to."""

    def predict(self, picture: str | None, text: str, unit: Unit, fov_deg: float) -> Iterator[list[Any]]:
        """The new state of each output. Its files are copied by gradio before the folder goes."""
        with TemporaryDirectory(prefix="tr2m_app_") as folder:
            with sentences_for_errors():
                path, sentences = checked_picture(picture), sentences_of(text)
                check_unit(self.model, unit, "The picture")
                got = answer(
                    self.model,
                    path,
                    sentences,
                    unit,
                    Path(folder, "prediction"),
                    fov_deg=fov_deg or None,
                    checkpoint=self.checkpoint,
                    relative_depth=self.relative_depths.get(file_sha256(path)),
                )
            several = len(sentences) > 1
            maps = main_maps(got.prediction, several)
            files = [got.folder / name if (got.folder / name).exists() else None for name in DOWNLOADS]
            choices = [gradio.update(choices=sentences, value=sentences[i]) for i in (0, -1)]
            yield [
                facts_html(numbers(got.prediction, several), got.notes),
                maps["depth"].payload(),
                files[DOWNLOADS.index("mesh.glb")],
                *(
                    gradio.update(value=drawn and drawn.payload(), visible=drawn is not None)
                    for drawn in map(maps.get, MAPS[1:])
                ),
                gradio.update(visible=several),
                gradio.update(visible=len(sentences) > 2),
                *choices,
                *compare(got.alternatives, 0, len(sentences) - 1),
                *(gradio.update(value=file, interactive=file is not None) for file in files),
                got.alternatives,
            ]


def compare(alternatives: Alternatives | None, first: int, second: int) -> list[dict[str, Any]]:
    """The pictures of two of the sentences."""
    if alternatives is None:
        raise gradio.Error("The prediction is no longer kept: predict again.", print_exception=False)
    maps = compared_maps(alternatives, first, second)
    return [maps[name].payload() for name in COMPARED]


def facts_html(numbers: dict[str, str], notes: Sequence[str]) -> str:
    tiles = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in numbers.items())
    return f"<section>{tiles}</section>" + "".join(f"<p>{escape(note)}</p>" for note in notes)


@contextmanager
def sentences_for_errors() -> Iterator[None]:
    """What the user can fix is shown to him in the sentence of the UserError."""
    try:
        yield
    except UserError as error:
        raise gradio.Error(escape(str(error)), print_exception=False) from None
