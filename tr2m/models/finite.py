"""Weights that are no numbers are refused where they are loaded: every depth they give would be wrong."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tr2m.errors import UserError


def check_finite(tensors: Mapping[str, Tensor], what: str) -> None:
    """Raise UserError that names `what` and the tensors in which there is a NaN or an infinity."""
    # A model that is only counted has weights without values, on the meta device.
    known = {name: tensor for name, tensor in tensors.items() if not tensor.is_meta}
    if bad := [name for name, tensor in known.items() if not tensor.isfinite().all()]:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise UserError(
            f"{what}: NaN or infinity in {', '.join(bad[:5])}{more}. The file is damaged, or its training diverged: "
            "use an earlier checkpoint, or download the file again"
        )
