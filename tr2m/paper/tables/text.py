"""A filled table as Markdown, LaTeX and CSV: for each column what the paper prints and what was measured here."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tr2m.evaluation.report import format_conditions
from tr2m.paper.tables.layout import Column, Layout
from tr2m.paper.tables.marks import Mark, larger_is_better, marks, mean_ranks
from tr2m.paper.tables.results import Filled, ResultFile

NOT_RUN = "—"
METRIC_NAMES = {
    "abs_rel": "AbsRel ↓",
    "rmse": "RMSE ↓",
    "rmse_log": "RMSElog ↓",
    "log10": "log10 ↓",
    "delta1": "δ1 ↑",
    "delta2": "δ2 ↑",
    "delta3": "δ3 ↑",
    "rank": "rank ↓",
}
RANK = Column("", "rank")


@dataclass(frozen=True)
class Cell:
    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class TableText:
    """Strings, ready for any format."""

    title: str
    header: list[str]
    rows: list[list[Cell]]
    notes: list[str]


def table_text(filled: Filled) -> TableText:
    """All that is printed of a table."""
    layout = filled.layout
    if layout.definitions:
        definitions = [[Cell(part) for part in definition] for definition in layout.definitions]
        return TableText(title_of(layout), ["metric", "paper", "here"], definitions, list(layout.notes))
    with_paper = any(row.paper for row in layout.rows)
    header, columns = [""], [[Cell(row.label) for row in layout.rows]]
    paper, here = paper_numbers(layout), measured(filled)
    for column in [*layout.columns, *([RANK] if layout.rank else [])]:
        name = f"{column.dataset} {METRIC_NAMES[column.metric]}{unit_of(filled, column)}".strip()
        if with_paper:
            header += [f"{name} paper", "here"]
            columns.append(marked(layout, column, [numbers.get(column, NOT_RUN) for numbers in paper]))
        else:
            header.append(name)
        columns.append(marked(layout, column, [numbers.get(column, NOT_RUN) for numbers in here]))
    rows = [list(cells) for cells in zip(*columns, strict=True)]
    return TableText(title_of(layout), header, rows, notes_of(filled, with_paper))


def title_of(layout: Layout) -> str:
    return f"{layout.name.replace('table', 'Table ')}. {layout.title}"


def unit_of(filled: Filled, column: Column) -> str:
    """ " (m)" or " (mm)" for the metrics that have a unit, once a result states which."""
    units = {r.content["unit"] for (_, name), found in filled.results.items() if name == column.dataset for r in found}
    return f" ({units.pop()})" if units and column.metric == "rmse" else ""


def paper_numbers(layout: Layout) -> list[dict[Column, str]]:
    columns = [*layout.columns, *([RANK] if layout.rank else [])]
    return [dict(zip(columns, row.paper, strict=True)) if row.paper else {} for row in layout.rows]


def measured(filled: Filled) -> list[dict[Column, str]]:
    """Mean over the seeds, with their standard deviation where there are several; and the rank, if it is asked for."""
    layout = filled.layout
    rows: list[dict[Column, str]] = [{} for _ in layout.rows]
    for number, row in enumerate(rows):
        for column in layout.columns:
            if values := filled.values(number, column.dataset, column.metric):
                spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
                row[column] = f"{statistics.mean(values):.3f}{spread}"
    if layout.rank:
        columns = [[number_in(row.get(column)) for row in rows] for column in layout.columns]
        ranks = mean_ranks(columns, [larger_is_better(column.metric) for column in layout.columns])
        for row, rank in zip(rows, ranks, strict=True):
            if rank is not None:
                row[RANK] = f"{rank:.1f}"
    return rows


def number_in(text: str | None) -> float | None:
    """The value of a printed cell; what is printed is what is compared."""
    return None if text is None or text in ("-", NOT_RUN) else float(text.split()[0])


def marked(layout: Layout, column: Column, texts: Sequence[str]) -> list[Cell]:
    """Best and second best marked among the rows that do not look at the ground truth."""
    competing = [None if row.uses_ground_truth else number_in(t) for row, t in zip(layout.rows, texts, strict=True)]
    return [Cell(t, m) for t, m in zip(texts, marks(competing, larger_is_better(column.metric)), strict=True)]


def notes_of(filled: Filled, with_paper: bool) -> list[str]:
    """How to read the table, its own notes, the protocol of each column, and what each row was measured with."""
    notes = ["Best in bold, second best underlined, among the rows that do not look at the ground truth."]
    if with_paper:
        notes.append("Paper: the paper's printed numbers, under its own protocol. Here: this project's; — was not run.")
    notes += filled.layout.notes
    by_dataset = {dataset: found[0].content for (_, dataset), found in reversed(list(filled.results.items()))}
    for dataset in dict.fromkeys(column.dataset for column in filled.layout.columns if column.dataset in by_dataset):
        notes.append(format_conditions(by_dataset[dataset]))
    for number, row in enumerate(filled.layout.rows):
        if found := [result for (which, _), some in filled.results.items() if which == number for result in some]:
            notes.append(f"{row.label}: {origin(found)}")
    return notes


def origin(results: Sequence[ResultFile]) -> str:
    """What one row was measured with: checkpoints, precision, alignment, captions, flip, commits."""
    contents = [result.content for result in results]
    facts = {
        "checkpoint": [str(content.get("checkpoint") or "none") for content in contents],
        "precision": [content.get("precision", "not stated") for content in contents],
        "alignment": [content["protocol"]["alignment"] for content in contents],
        "captions": [content["protocol"]["caption_source"] for content in contents],
        "flip": ["on" if content["protocol"]["flip_tta"] else "off" for content in contents],
        "commit": [content.get("environment", {}).get("git_commit", "unknown")[:7] for content in contents],
    }
    return "; ".join(f"{name} {', '.join(dict.fromkeys(values))}" for name, values in facts.items())


def markdown(table: TableText) -> str:
    styles: dict[Mark, str] = {"": "{}", "best": "**{}**", "second": "<u>{}</u>"}

    def line(texts: Sequence[str]) -> str:
        return f"| {' | '.join(texts)} |"

    rule = line(["---", *["---:"] * (len(table.header) - 1)])
    body = [line([styles[cell.mark].format(cell.text.replace("|", r"\|")) for cell in row]) for row in table.rows]
    notes = [f"- {note}" for note in table.notes]
    return "\n".join([f"**{table.title}**", "", line(table.header), rule, *body, "", *notes, ""])


def latex(table: TableText) -> str:
    styles: dict[Mark, str] = {"": "{}", "best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}

    def line(texts: Sequence[str]) -> str:
        return " & ".join(texts) + r" \\"

    body = [line([styles[cell.mark].format(escape(cell.text)) for cell in row]) for row in table.rows]
    notes = [f"% {note}" for note in table.notes]
    begin = rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}"
    head = [begin, r"\hline", line([escape(text) for text in table.header]), r"\hline"]
    return "\n".join([f"% {table.title}", *head, *body, r"\hline", r"\end{tabular}", *notes, ""])


def escape(text: str) -> str:
    symbols = {"_": r"\_", "%": r"\%", "&": r"\&", "^": r"\^{}", "<": "$<$", ">": "$>$", "|": "$|$"}
    symbols |= {"±": r"$\pm$", "δ": r"$\delta$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "—": "--"}
    return "".join(symbols.get(character, character) for character in text)


def comma_separated(table: TableText) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.header)
    writer.writerows([cell.text for cell in row] for row in table.rows)
    return out.getvalue()


FORMATS: dict[str, Callable[[TableText], str]] = {"md": markdown, "tex": latex, "csv": comma_separated}
