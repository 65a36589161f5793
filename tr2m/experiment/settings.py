"""The options of the commands: configs/train.yaml, configs/benchmark.yaml and configs/eval.yaml, key by key.

Networks, losses, optimisers and readers stay plain containers here: `tr2m.build` checks them against their classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tr2m.data.settings import DatasetSettings
from tr2m.feature_cache.settings import CacheSettings
from tr2m.limits import NonNegativeInt, PositiveInt, Seed
from tr2m.models.frozen.precision import Precision
from tr2m.training.settings import TrainerSettings


@dataclass(frozen=True)
class PathSettings:
    """Folders."""

    data: str
    captions: str
    outputs: str
    splits: str


@dataclass(frozen=True, kw_only=True)
class FolderSettings:
    """What all commands on data sets take."""

    paths: PathSettings
    root: str | None
    """The data set's folder, where there is only one data set; it stands in the reader's own `root`, too."""
    sentence: str | None = None
    """One for all frames of the only data set; it stands in the reader's own `captions`, too."""
    caption_file: str | None = None
    """As `sentence`, a file that tr2m captions wrote."""


@dataclass(frozen=True)
class DataSettings:
    datasets: dict[str, DatasetSettings]
    """By the name of their entry."""


@dataclass(frozen=True)
class OptimSettings:
    optimizer: dict[str, Any]
    """But for the parameters."""
    schedule: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ExperimentSettings(FolderSettings):
    """What a training is made of."""

    seed: Seed
    device: str
    """auto, cpu, cuda, cuda:<number>."""
    augmentation: str
    """Of training frames, one of each data set's own, or none."""
    compile: bool
    """torch.compile for the networks."""
    cuda_graphs: bool
    """Replay on CUDA what is done for batches of a shape that was seen before."""
    precision: Precision
    """Of the networks; auto: bfloat16 on CUDA, else float32."""
    model: dict[str, Any]
    contrast: dict[str, Any]
    objective: dict[str, Any]
    data: DataSettings
    optim: OptimSettings
    trainer: TrainerSettings
    cache: CacheSettings


@dataclass(frozen=True, kw_only=True)
class TrainSettings(ExperimentSettings):
    """configs/train.yaml."""

    name: str | int
    """The experiment's: first folder of the run's path."""
    run_id: str | int | None
    """Second folder; None is the time of the start."""
    init_from: str | None
    """A checkpoint in any form that `load_model` takes, or "released": where the trained weights start from."""
    resume: str | None
    """A checkpoint file, or auto: the newest whole checkpoint of `run_id`, or of this experiment."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings(ExperimentSettings):
    """configs/benchmark.yaml."""

    what: dict[str, Any]
    """The benchmark."""
    threads: PositiveInt | None
    """Of torch on a CPU; None is torch's choice."""
    out: str | None
    """Folder of the result."""
    peers: dict[str, dict[str, Any]] | None = None
    """Entries of configs/baseline that TR2M is compared with."""


@dataclass(frozen=True)
class SummarySettings:
    """configs/summary.yaml."""

    model: dict[str, Any]
    contrast: dict[str, Any]


@dataclass(frozen=True)
class BaselineSettings:
    """An entry of configs/baseline."""

    name: str
    method: dict[str, Any]
    whole_frame: bool = False
    """Whether the network resizes the whole frame itself."""
    flip_tta: bool = False
    """Whether the mirrored image is predicted, too."""


@dataclass(frozen=True, kw_only=True)
class EvalSettings(FolderSettings):
    """configs/eval.yaml."""

    dataset: DatasetSettings
    baseline: BaselineSettings | None = None
    alignment: dict[str, Any] | None = None
    """None: none for metric depth, linear_fit for relative depth."""
    captions: dict[str, Any] | None = None
    """None: the data set's own."""
    ckpt: str | None
    protocol: str | None
    """None: the data set's first; all: each of them."""
    out: str | None
    """Folder of the result."""
    device: str
    precision: Precision
    """Of the networks; auto: bfloat16 where the device multiplies in it, else float32."""
    batch_size: PositiveInt
    """Most frames of one size that are predicted at once."""
    workers: NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class FigureSettings(FolderSettings):
    """configs/figures.yaml."""

    data: DataSettings
    ckpt: str
    label: str
    """Of `ckpt`."""
    compare: dict[str, str] | None
    """Further checkpoints, by their label."""
    figure: str | int
    """One of them, or all."""
    frames: PositiveInt
    """Of each data set."""
    scatter_frames: PositiveInt
    """Of each data set, where every frame or token is a point."""
    format: str
    """png or pdf."""
    out: str | None
    """Folder of the pictures."""
    device: str


@dataclass(frozen=True, kw_only=True)
class PrepareSettings(FolderSettings):
    """configs/data_prepare.yaml."""

    dataset: DatasetSettings
    prepare: dict[str, Any]
    """`steps`."""
    archives: str
    """The folder of the files as they were fetched."""
    download: bool
    """Whether what is missing there may be fetched."""
    limits: dict[str, Any]
    """Of an archive."""


@dataclass(frozen=True, kw_only=True)
class CheckSettings(FolderSettings):
    """configs/data_check.yaml."""

    dataset: DatasetSettings
    full: bool
    """Whether every frame is decoded."""
    frames: PositiveInt
    """Of each split to decode otherwise."""
    seed: Seed
    """Which frames."""
    shown: PositiveInt
    """Problems of one kind that are printed in full."""
    threads: PositiveInt


@dataclass(frozen=True, kw_only=True)
class ShowSettings(FolderSettings):
    """configs/data_show.yaml."""

    dataset: DatasetSettings
    n: PositiveInt
    """Frames."""
    seed: Seed
    """Which frames."""
    split: str | None
    """None: the evaluation split."""
    protocol: str | None
    """Whose region and unit are drawn; None: the first."""
    out: str | None
    """A PNG file."""


@dataclass(frozen=True, kw_only=True)
class CaptionSettings(FolderSettings):
    """configs/captions.yaml."""

    dataset: DatasetSettings
    source: dict[str, Any]
    """`name` and `captions`, a captioner or a source of captions."""
    device: str
    save_every: PositiveInt
    """Frames: at most so many are described again after a kill."""
    out: str
    """The file."""


@dataclass(frozen=True)
class WorldChoice:
    world: str
    """One of `TableSettings.worlds`."""


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """configs/tables.yaml."""

    paths: PathSettings
    table: int | str
    """A number, or all."""
    plan: int | str | None
    """As `table`: print the commands that would fill it instead."""
    run: bool
    """Whether the plan's commands are run."""
    jobs: PositiveInt
    """Commands at a time."""
    data: WorldChoice
    out: str | None
    """Folder of the tables."""
    worlds: dict[str, dict[str, Any]]
    """By name, the arguments of `tr2m.paper.tables.layout.World`, `outputs` and the numbers of its `tables`."""
