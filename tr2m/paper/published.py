"""What the paper prints for TR2M on a data set, beside what was measured under the protocol of those numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tr2m.paper.tables.layout import read_layout

PROTOCOL = "released"
METHOD = "tr2m_released"
"""What results call the authors' checkpoint."""
CHANGES = re.compile(r"[+~]*(sentence=|caption_file=|dataset[.@](?!(\w+\.)*root=))")
"""Options of `tr2m eval` that show the model something else than the released protocol does, or score it otherwise."""
ROW, TABLES = "TR2M", ("table1", "table2", "table3", "table7")


def printed_numbers(dataset: str, configs: Path) -> dict[str, str]:
    """The digits of each metric in the paper's tables of results; none for a data set that is not in them."""
    printed = {}
    for name in TABLES:
        layout = read_layout(configs / "tables" / f"{name}.yaml")
        row = next(row for row in layout.rows if row.label == ROW)
        cells = zip(layout.columns, row.paper, strict=False)
        printed |= {column.metric: digits for column, digits in cells if column.dataset == dataset}
    return printed


def compare_with_paper(result: Mapping[str, Any], overrides: Sequence[str], configs: Path) -> str:
    """Each printed number beside the measured one, whether they agree to the printed digits, and whether the comparison
    applies at all; "" under another protocol, or where the paper prints nothing.

    Args:
        result: what `tr2m eval` writes, its facts included.
        overrides: the options that made it.
    """
    printed = printed_numbers(result["dataset"], configs)
    if result["protocol"]["name"] != PROTOCOL or not printed:
        return ""
    published = yaml.safe_load((configs / "published.yaml").read_text())[result["dataset"]]
    lines, agree = [f"the paper's TR2M on {result['dataset']}:"], True
    for metric, digits in printed.items():
        decimals = len(digits.partition(".")[2])
        ours = result["metrics"][metric]
        same = f"{ours:.{decimals}f}" == digits
        agree &= same
        difference = f"{ours - float(digits):+.{decimals + 1}f}"
        lines.append(
            f"  {metric:8} paper {digits}  here {ours:.{decimals}f}  {difference}  {'=' if same else 'differs'}"
        )
    if result["precision"] != "float32":
        lines.append(f"computed in {result['precision']}, the paper's in float32: precision=float32")
    if not published["captions"]:
        lines.append("the authors' captions of these frames are not published: the sentences are other ones")
    if reasons := what_differs(result, published["frames"], overrides):
        lines.append(f"not a reproduction: {'; '.join(reasons)}")
    else:
        lines.append(f"{'agrees' if agree else 'does not agree'} with the paper to the printed digits")
    return "\n".join(lines)


def what_differs(result: Mapping[str, Any], frames: int | None, overrides: Sequence[str]) -> list[str]:
    """Why a result cannot be expected to be the paper's, in words.

    Args:
        frames: how many the paper scored; None where that is not known.
    """
    measured, reasons = result["n_images"] + result["n_skipped"], []
    if result["method"] != METHOD:
        reasons.append(f"the checkpoint is not the authors' (ckpt=released), but {result['method']}")
    if result["captions"] != "correct":
        reasons.append(f"captions={result['captions']}")
    if result["protocol"]["alignment"] != "none":
        reasons.append(f"predictions are aligned ({result['protocol']['alignment']})")
    reasons += [text for text in overrides if CHANGES.match(text)]
    if frames is not None and measured != frames:
        reasons.append(f"{measured:,} frames of {frames:,}")
    if frames is None and not reasons:
        return [f"how many frames the paper scored is not known, here {measured:,}"]
    return reasons
