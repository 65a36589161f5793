import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tr2m.models.attention import MultiHeadAttention
from tr2m.models.fusion import CrossModalityAttention, ImageAttention, QuickGELU, TextBroadcast


def equal_attentions() -> tuple[MultiHeadAttention, nn.MultiheadAttention]:
    """Ours and torch's, with biases, which are 0 at first."""
    ours, torchs = MultiHeadAttention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    assert ours.state_dict().keys() == torchs.state_dict().keys()
    torchs.load_state_dict(ours.state_dict() | {"in_proj_bias": torch.randn(36), "out_proj.bias": torch.randn(12)})
    ours.load_state_dict(torchs.state_dict())
    return ours, torchs


def test_attention_is_that_of_torch_with_the_same_parameters():
    ours, torchs = equal_attentions()
    queries, context = torch.randn(2, 5, 12), torch.randn(2, 4, 12)
    valid = torch.tensor([[True, True, False, True], [True, False, False, False]])
    expected, _ = torchs(queries, context, context, key_padding_mask=~valid)
    torch.testing.assert_close(ours(queries, context, valid), expected)
    expected, _ = torchs(queries, context, context)
    torch.testing.assert_close(ours(queries, context), expected)


def test_the_first_weights_are_distributed_as_torchs():
    ours, torchs = MultiHeadAttention(64, 4).state_dict(), nn.MultiheadAttention(64, 4).state_dict()
    for name, weight in ours.items():
        # Uniform: the largest of thousands is at the bound.
        assert weight.abs().max().item() == pytest.approx(torchs[name].abs().max().item(), rel=0.02, abs=1e-9), name


def test_one_token_of_context_is_the_same_for_every_query():
    ours, torchs = equal_attentions()
    queries, context = torch.randn(2, 5, 12), torch.randn(2, 1, 12)
    result = ours(queries, context)
    assert result.shape == (2, 1, 12)
    torch.testing.assert_close(result.expand(2, 5, 12), torchs(queries, context, context)[0])


def test_attention_asks_the_fused_kernel_for_one_map_a_head(monkeypatch: pytest.MonkeyPatch):
    """CUDA has its fast kernels for tensors of four dimensions only, and a mask of every query would rule one out."""
    asked, fused = [], F.scaled_dot_product_attention

    def spy(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attn_mask: torch.Tensor | None
    ) -> torch.Tensor:
        asked.append((query.shape, key.shape, value.shape, None if attn_mask is None else attn_mask.shape))
        return fused(query, key, value, attn_mask=attn_mask)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    fusion, valid = CrossModalityAttention(12, 3), torch.ones(2, 4, dtype=torch.bool)
    fusion(torch.randn(2, 5, 12), torch.randn(2, 4, 12), valid)
    queries, keys = (2, 3, 5, 4), (2, 3, 4, 4)
    assert asked == [(queries, queries, queries, None), (queries, keys, keys, (2, 1, 1, 4))]


# Our names -> those of torch's pre-norm layers, in which the text's norm is outside.
TORCHS = {
    "self_attention.": "self_attn.",
    "text_attention.": "multihead_attn.",
    "self_norm.": "norm1.",
    "image_norm.": "norm2.",
    "mlp.0.": "linear1.",
    "mlp.2.": "linear2.",
}


def test_the_blocks_are_torchs_pre_norm_layers_with_quick_gelu():
    options = {"dim_feedforward": 48, "dropout": 0.0, "activation": QuickGELU(), "batch_first": True}
    image, text, valid = torch.randn(2, 5, 12), torch.randn(2, 4, 12), torch.tensor([[True] * 4, [True] + [False] * 3])
    for ours, theirs, mlp_norm in (
        (ImageAttention(12, 3), nn.TransformerEncoderLayer(12, 3, norm_first=True, **options), "norm2."),
        (CrossModalityAttention(12, 3), nn.TransformerDecoderLayer(12, 3, norm_first=True, **options), "norm3."),
    ):
        state = {name: weight + 0.1 * torch.randn_like(weight) for name, weight in ours.state_dict().items()}
        ours.load_state_dict(state)
        text_norm = [state.pop(f"text_norm.{name}", torch.zeros(12)) for name in ("weight", "bias")]
        for own, torchs in {**TORCHS, "mlp_norm.": mlp_norm}.items():
            state = {name.replace(own, torchs): weight for name, weight in state.items()}
        theirs.load_state_dict(state)
        if mlp_norm == "norm2.":
            expected = theirs(image)
        else:
            memory = F.layer_norm(text, (12,), *text_norm)
            expected = theirs(image, memory, memory_key_padding_mask=~valid)
        torch.testing.assert_close(ours(image, text, valid), expected)


def test_padding_does_not_reach_the_image():
    fusion = CrossModalityAttention(8, 2)
    image, text = torch.randn(1, 4, 8), torch.randn(1, 3, 8)
    valid = torch.tensor([[True, True, False]])
    changed = text.clone()
    changed[:, 2] += 5
    assert torch.equal(fusion(image, text, valid), fusion(image, changed, valid))
    changed[:, 1] += 5
    assert not torch.equal(fusion(image, text, valid), fusion(image, changed, valid))


def test_padding_does_not_reach_the_text_mean():
    text = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [99.0, 99.0]]])
    fusion = TextBroadcast(2)
    fused = fusion(torch.zeros(1, 4, 2), text, torch.tensor([[True, True, False]]))
    mean = torch.tensor([2.0, 3.0])
    torch.testing.assert_close(fused, (mean + fusion.mlp(fusion.mlp_norm(mean))).expand(1, 4, 2))


def test_quick_gelu_by_hand():
    # 1 / (1 + e^-1.702) = 0.84579
    torch.testing.assert_close(QuickGELU()(torch.tensor([1.0, 0.0])), torch.tensor([0.84579, 0.0]), atol=1e-5, rtol=0)
