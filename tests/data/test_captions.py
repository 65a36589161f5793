import pytest

from tr2m.data.captions.files import CaptionFiles, ColonCaptions, is_sentence
from tr2m.errors import UserError

SAMPLE_ID = "2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005"


@pytest.fixture
def caption_file(tmp_path):
    path = tmp_path / "train" / f"{SAMPLE_ID}.txt"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"Sentence {n}. \n" for n in range(15)))
    return path


def test_lines_in_order_and_stripped(tmp_path, caption_file):
    assert CaptionFiles(tmp_path).lines("train", SAMPLE_ID) == [f"Sentence {n}." for n in range(15)]


def test_blank_lines_do_not_count_and_other_separators_do_not_split(tmp_path, caption_file):
    caption_file.write_text("One\u2028still one.\r\n\n  \nA caf\u00e9.", encoding="utf-8")
    assert CaptionFiles(str(tmp_path), lines_per_file=2).lines("train", SAMPLE_ID) == ["One\u2028still one.", "A café."]


@pytest.mark.parametrize("count", [0, 14, 16])
def test_another_number_of_lines_is_refused(tmp_path, caption_file, count):
    caption_file.write_text("A room.\n" * count)
    with pytest.raises(UserError, match=rf"{caption_file}: got {count} non-empty lines, expected 15"):
        CaptionFiles(tmp_path).lines("train", SAMPLE_ID)


def test_missing_files_name_the_path_and_the_variable(tmp_path, caption_file):
    with pytest.raises(UserError, match=rf"{tmp_path}/test/{SAMPLE_ID}.txt. Set TR2M_CAPTIONS .*docs/datasets.md"):
        CaptionFiles(tmp_path).lines("test", SAMPLE_ID)
    with pytest.raises(UserError, match=rf"no folder of captions {tmp_path}/none. Set TR2M_CAPTIONS"):
        CaptionFiles(tmp_path / "none")


def test_a_byte_order_mark_is_no_part_of_the_first_sentence(tmp_path, caption_file):
    caption_file.write_text("\ufeffOne.\nTwo.\n", encoding="utf-8")
    assert CaptionFiles(tmp_path, 2).lines("train", SAMPLE_ID) == ["One.", "Two."]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A room.", True),
        (" A room.\n", True),
        ("A room.\u2028B", True),
        *((wrong, False) for wrong in ("A\nB", "A\rB", " \n", "", 3, None)),
    ],
)
def test_what_a_sentence_is(caption, expected):
    assert is_sentence(caption) == expected


def test_no_text_is_refused(tmp_path, caption_file):
    caption_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=rf"{caption_file}: expected a UTF-8 text file"):
        CaptionFiles(tmp_path).lines("train", SAMPLE_ID)


def test_description_says_which_captions(tmp_path):
    assert CaptionFiles(tmp_path).description == "rsa-layout text files, line 1"


@pytest.mark.parametrize(
    ("sample_id", "what"),
    [
        ("desc_t2_a/0000", "descending colon with texture type two"),
        ("cecum_t1_b/0123", "cecum with texture type one"),
        ("trans_t4_b/0000", "transverse colon with texture type four"),
        ("sigmoid_t3_a/0000", "sigmoid colon with texture type three"),
    ],
)
def test_colon_sentence_by_part_and_texture(sample_id, what):
    # The first is the paper's example, word for word.
    captions = ColonCaptions("The image shows a surgical scene of {part} with texture type {texture}.")
    assert captions.lines("test", sample_id) == [f"The image shows a surgical scene of {what}."]


def test_colon_sentence_without_a_named_video():
    same = ColonCaptions("The image shows a surgical scene of colon.")
    lines = same.lines("test", "SyntheticColon_I/Frames_S5/FrameBuffer_0000")
    assert lines == ["The image shows a surgical scene of colon."]
    with pytest.raises(UserError, match=r"SyntheticColon_I/.*: expected a video named like desc_t4_a"):
        ColonCaptions("A {part}.").lines("test", "SyntheticColon_I/Frames_S5/FrameBuffer_0000")
