import tiny
import torch

from tr2m.types import DepthBatch


def test_a_batch_is_split_and_joined_again():
    batch = tiny.batch(size=3)
    parts = batch.split()
    assert [part.sample_ids for part in parts] == [[name] for name in batch.sample_ids]
    assert [part.captions for part in parts] == [[caption] for caption in batch.captions]
    assert all(torch.equal(part.image[0], image) for part, image in zip(parts, batch.image, strict=True))
    whole = DepthBatch.joined(parts)
    assert (whole.sample_ids, whole.captions) == (batch.sample_ids, batch.captions)
    assert all(torch.equal(getattr(whole, name), getattr(batch, name)) for name in ("image", "depth", "valid"))
    assert whole.relative_depth is None


def test_batches_of_other_sizes_have_other_shapes():
    batch = tiny.batch()
    assert batch.shapes == tiny.batch(size=1).shapes != tiny.batch(width=42).shapes
