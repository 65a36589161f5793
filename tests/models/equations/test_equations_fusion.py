import math

import torch

from tr2m.models.equations.fusion import ImageAttention, SumOfAttentions, TextBroadcast


def softmax_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.softmax(query @ key.T / math.sqrt(query.shape[1]), dim=1) @ value


def test_equations_1_and_2_on_the_features_themselves():
    image, text = torch.randn(1, 5, 4), torch.randn(1, 3, 4)
    valid = torch.tensor([[True, True, False]])
    fusion = SumOfAttentions(4, "sequence", "none")
    expected = (
        image[0]
        + softmax_attention(image[0], image[0], image[0])
        + softmax_attention(image[0], text[0, :2], text[0, :2])
    )
    torch.testing.assert_close(fusion(image, text, valid)[0], expected)


def test_learned_projections_share_the_query():
    image, text = torch.randn(1, 5, 4), torch.randn(1, 2, 4)
    fusion = SumOfAttentions(4, "sequence", "full")
    query = fusion.image_query(image[0])
    expected = (
        image[0]
        + softmax_attention(query, fusion.image_key(image[0]), fusion.image_value(image[0]))
        + softmax_attention(query, fusion.text_key(text[0]), fusion.text_value(text[0]))
    )
    torch.testing.assert_close(fusion(image, text, torch.ones(1, 2, dtype=torch.bool))[0], expected)


def test_the_image_alone_is_itself_and_its_attention():
    image, fusion = torch.randn(1, 5, 4), ImageAttention(4)
    parts = (part(image[0]) for part in (fusion.image_query, fusion.image_key, fusion.image_value))
    fused = fusion(image, torch.randn(1, 2, 4), torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(fused[0], image[0] + softmax_attention(*parts))


def test_one_text_token_adds_its_value_to_every_pixel():
    image, text = torch.randn(2, 5, 4), torch.randn(2, 1, 4)
    valid = torch.ones(2, 1, dtype=torch.bool)
    pooled, sequence = SumOfAttentions(4, "pooled", "full"), SumOfAttentions(4, "sequence", "full")
    sequence.load_state_dict(
        pooled.state_dict() | {f"text_key.{k}": v for k, v in pooled.image_key.state_dict().items()}
    )
    assert pooled.text_key is None
    torch.testing.assert_close(pooled(image, text, valid), sequence(image, text, valid))


def test_padding_does_not_reach_the_text_mean():
    text = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [99.0, 99.0]]])
    fusion = TextBroadcast(2)
    fused = fusion(torch.zeros(1, 4, 2), text, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(fused, fusion.text_value(torch.tensor([2.0, 3.0])).expand(1, 4, 2))
