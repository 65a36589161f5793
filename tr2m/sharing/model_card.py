"""The README.md of a published folder: what a model was measured at, under which protocol, and where it fails."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from tr2m.errors import UserError
from tr2m.evaluation.alignment import uses_ground_truth
from tr2m.evaluation.report import format_protocol
from tr2m.evaluation.result_names import NOT_ALIGNED, OWN_CAPTIONS
from tr2m.experiment.needed_weights import licences, needed_files

NAMES = {"abs_rel": "AbsRel", "delta1": "delta1", "rmse": "RMSE", "log10": "log10"}
UNKNOWN = "licence not known here: ask its owner"
PAPER = "https://github.com/BeileiCui/TR2M"
FAILURES = """\
- **Wrong sentences.** The scale comes partly from the sentence, and one that describes another place moves all
  depths{wrong}.
- **Edges.** Maps are smooth. Around the outline of a near object depth lies between near and far; do not measure there.
- **Sky, glass, mirrors.** There is no ground truth in training; the value is whatever the smooth maps give.
- **Other places.** On kinds of scenes that training had not, all depths of an image can be off by one factor.
- **Other cameras.** The focal length is not an input: a photo of another field of view than the training data's is
  scaled as if it were one of theirs.
"""
TEMPLATE = """\
---
{metadata}
---

# {name}

Metric depth from one picture and one sentence: `metric_depth = 1 / (scale_map * relative_depth + shift_map)`. An
independent implementation of TR2M (Cui et al., {paper}); it is not the authors' checkpoint. Depth is in {units}.

```python
import tr2m

model = tr2m.TR2M.from_pretrained("<this repository, or a folder with its files>")
depth = tr2m.predict(model, "photo.jpg", "a narrow kitchen").metric_depth  # (H, W)
```

`model.safetensors` and `config.json` hold what was trained. The frozen parts are fetched from their owners and compared
by SHA-256.

## Trained on

{trained}

## Results

{results}

## Known failures

{failures}
## Frozen parts and their terms

{frozen}

Trained weights: {licence}. The terms of the training data are their owners' and are not repeated here.
"""


def read_results(paths: Sequence[Path], state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The result files of `tr2m eval`. Raises UserError for a file that is none, or of another model than that of the
    checkpoint `state`: its experiment's name and its seed must be the result's.
    """
    config, results = state["config"], []
    for path in paths:
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            found = {"method": result["method"], "seed": result["seed"]}
            format_protocol(result)
            row(result)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: expected a result file (.json) of tr2m eval ckpt=...: {error!r}") from error
        if found != (own := {"method": config.get("name"), "seed": config.get("seed")}):
            raise UserError(
                f"{path} is a result of {found}, and the checkpoint is of {own}: give results of this model"
            )
        results.append(result)
    return results


def model_card(
    state: Mapping[str, Any], results: Sequence[Mapping[str, Any]], licence: str | None = None, name: str | None = None
) -> str:
    """The text of a README.md for the hub.

    Args:
        state: a checkpoint, as `read_trained` returns it.
        results: contents of result files of `tr2m eval`; every number of the card is one of theirs.
        licence: of the trained weights, as the hub names it ("mit"); None: not stated.
        name: of the model; None takes the experiment's.
    """
    config = state["config"]
    title, parts = name or str(config.get("name") or "TR2M"), frozen_parts(config["model"])
    metadata = ModelCardData(
        license=licence,
        library_name="tr2m",
        pipeline_tag="depth-estimation",
        tags=["metric-depth", "language"],
        base_model=[repository for repository, _ in parts.values()] or None,
        model_name=title,
        eval_results=[entry for result in results for entry in hub_entries(result)] or None,
    )
    units = state.get("units") or {}
    return TEMPLATE.format(
        metadata=metadata.to_yaml(),
        name=title,
        paper=PAPER,
        units=" and ".join(dict.fromkeys({"m": "metres", "mm": "millimetres"}[unit] for unit in units.values()))
        or "metres",
        trained=trained_on(state),
        results=results_text(results),
        failures=FAILURES.format(wrong=wrong_sentences(results)),
        frozen="\n".join(
            f"- {part.replace('_', ' ')}: `{repository}`, {licence}" for part, (repository, licence) in parts.items()
        )
        or "- none with published weights",
        licence=licence or "no licence is stated; ask the publisher",
    )


def frozen_parts(model: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Repository and licence of each frozen network with published weights in a model's config."""
    terms = licences()
    names = [name for name, part in model.items() if isinstance(part, Mapping) and part.get("pretrained")]
    files = zip(names, needed_files(model), strict=True)
    return {name: (repo, terms.get(repo, {"licence": UNKNOWN})["licence"]) for name, (repo, _) in files}


def trained_on(state: Mapping[str, Any]) -> str:
    sizes = ", ".join(dict.fromkeys(f"{height}x{width}" for height, width in state["input_sizes"]))
    sets = ", ".join(f"{name} ({unit})" for name, unit in (state.get("units") or {}).items()) or "not recorded"
    return (
        f"Data sets and the unit of their depth: {sets}. Images of {sizes} pixels (height x width). "
        f"Experiment `{state['config'].get('name')}`, seed {state['config'].get('seed')}, "
        f"commit {state.get('git_commit') or 'not recorded'}."
    )


def row(result: Mapping[str, Any]) -> list[str]:
    """The cells of one result in the card's table."""
    protocol, alignment = result["protocol"], result["protocol"]["alignment"]
    metrics = [f"{result['metrics'][name]:.3f}" for name in NAMES]
    mark = "*" if uses_ground_truth(alignment) else ""
    given = [result["dataset"], protocol["name"], result["captions"], f"{alignment}{mark}"]
    return [*given, *metrics, result["unit"], f"{result['n_images']:,}"]


def results_text(results: Sequence[Mapping[str, Any]]) -> str:
    """A table with a row for each result, and under it how each was measured."""
    if not results:
        return "Not measured. `tr2m eval` writes result files, and `tr2m export --results` puts them here."
    head = ["data set", "protocol", "captions", "alignment", *NAMES.values(), "unit", "images"]
    lines = [head, ["---"] * len(head), *map(row, results)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    notes = "\n".join(
        f"- {format_protocol(result)}; {result['environment']['device']}, commit {result['environment']['git_commit']}"
        for result in results
    )
    stars = "\n\n\\* uses the ground truth of the image it scores: no prediction." if "* |" in table else ""
    return f"{table}{stars}\n\n{notes}"


def wrong_sentences(results: Sequence[Mapping[str, Any]]) -> str:
    """What a wrong sentence did where that was measured, beside the frame's own under the same protocol."""
    own = {
        (result["dataset"], result["protocol"]["name"]): result["metrics"]["abs_rel"]
        for result in results
        if result["captions"] == OWN_CAPTIONS and result["protocol"]["alignment"] == NOT_ALIGNED
    }
    found = [
        f"AbsRel {own[key]:.3f} to {result['metrics']['abs_rel']:.3f}, {result['dataset']}, `{result['captions']}`"
        for result in results
        if (key := (result["dataset"], result["protocol"]["name"])) in own and result["captions"].startswith("wrong_")
    ]
    return f": {', '.join(found)}" if found else "; how far was not measured for this card"


def hub_entries(result: Mapping[str, Any]) -> list[EvalResult]:
    """A result in the hub's own form. Only of frames' own sentences and without alignment: the form has no place to
    state either.
    """
    protocol = result["protocol"]
    if result["captions"] != OWN_CAPTIONS or protocol["alignment"] != NOT_ALIGNED:
        return []
    return [
        EvalResult(
            task_type="depth-estimation",
            dataset_type=result["dataset"],
            dataset_name=f"{result['dataset']}, protocol {protocol['name']}",
            dataset_split=protocol["split"],
            metric_type=metric,
            metric_name=f"{label} ({result['unit']})" if metric == "rmse" else label,
            metric_value=result["metrics"][metric],
        )
        for metric, label in NAMES.items()
    ]
