from tr2m.evaluation.result_names import result_name


def test_what_is_unusual_is_in_the_name():
    assert result_name("nyuv2") == "nyuv2"
    assert result_name("nyuv2", "correct", "none", None) == "nyuv2"
    assert result_name("nyuv2", "wrong_scene") == "nyuv2_wrong_scene"
    assert result_name("nyuv2", "average", "median", "clean") == "nyuv2_clean_average_median"
