"""Results on disk and on the screen."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tr2m.evaluation.evaluator import Evaluation
from tr2m.files import write_atomically, written_to
from tr2m.json_text import json_text

COLUMNS = ("delta1", "delta2", "delta3", "abs_rel", "log10", "rmse_log", "rmse")


def save_evaluation(evaluation: Evaluation, folder: Path, name: str, extra: Mapping[str, Any]) -> Path:
    """Write `<folder>/<name>.json` (the result, with `extra` keys) and `<name>.csv` (one row per image, with the unit
    of its rmse). Raises UserError if the disk cannot hold them.
    """
    path = folder / f"{name}.json"
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, fieldnames=[*evaluation.rows[0], "unit"])
    writer.writeheader()
    writer.writerows({**row, "unit": evaluation.result["unit"]} for row in evaluation.rows)
    with written_to(path):
        write_atomically(path.with_suffix(".csv"), table.getvalue().encode(errors="surrogateescape"))
        write_atomically(path, (json_text({**evaluation.result, **extra}) + "\n").encode())
    return path


def format_table(rows: Sequence[tuple[str, Mapping[str, Any]]], first: str = "method") -> str:
    """A plain-text table of results: one row per (label, result), the columns of the paper's Tables 1 and 2."""
    lines = [[first, *COLUMNS, "unit", "images"]]
    for label, result in rows:
        cells = [f"{result['metrics'][name]:.3f}" for name in COLUMNS]
        lines.append([label, *cells, result["unit"], str(result["n_images"])])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )


def format_by_dataset(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """A plain-text table in the form of the paper's Table 3: methods down, abs_rel and delta1 of each data set across.

    Args:
        results: for each method its results, the same data sets in the same order.
    """
    datasets = [result["dataset"] for result in next(iter(results.values()))]
    first = max(len(label) for label in results)
    width = max(16, *(len(name) for name in datasets))
    lines = [
        "  ".join([" " * first, *(name.center(width) for name in datasets)]),
        "  ".join(["".ljust(first), *("abs_rel   delta1".center(width) for _ in datasets)]),
    ]
    for label, row in results.items():
        cells = [f"{r['metrics']['abs_rel']:7.3f}   {r['metrics']['delta1']:6.3f}".center(width) for r in row]
        lines.append("  ".join([label.ljust(first), *cells]))
    return "\n".join(line.rstrip() for line in lines)


def format_protocol(result: Mapping[str, Any]) -> str:
    """One line that states how a result was measured."""
    protocol, nonfinite = result["protocol"], result["nonfinite_pixels"]
    return (
        f"{format_conditions(result)}, flip {'on' if protocol['flip_tta'] else 'off'}, "
        f"alignment {protocol['alignment_description']}, "
        f"captions {protocol['caption_source']}"
        f"{f'; {nonfinite:,} predicted pixels are NaN or infinite' if nonfinite else ''}"
    )


def format_conditions(result: Mapping[str, Any]) -> str:
    """The part of it that must be equal before two results may be compared."""
    protocol = result["protocol"]
    low, high = protocol["range"]
    return (
        f"{result['dataset']}: protocol {protocol['name']!r}, {protocol['split']} split, {result['n_images']} images "
        f"({result['n_skipped']} skipped), {low:g} < depth < {high:g} {result['unit']}, region {protocol['crop']}"
    )
