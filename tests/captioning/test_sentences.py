"""Sentences that list objects, against RSA's own, and free text cut to what CLIP reads."""

import os
import re
import tarfile
from pathlib import Path

import pytest
import tiny

from tr2m.captioning.panoptic import class_name
from tr2m.captioning.sentences import counted, number_word, object_sentences, whole_sentences
from tr2m.models.frozen.text_encoder import count_tokens

OBJECTS = tiny.config("dataset=ibims", "source=objects", name="captions")["source"]["captions"]
PLURALS = OBJECTS["plurals"]


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("oven", 1, "an oven"),
        ("traffic light", 1, "a traffic light"),
        ("traffic light", 5, "five traffic lights"),
        ("wine glass", 2, "two wine glasses"),
        ("person", 12, "twelve people"),
        ("knife", 3, "three knives"),
        ("couch", 2, "two couches"),
        ("sky", 2, "two skies"),
        ("toy", 2, "two toys"),
        ("stairs", 2, "two stairs"),
    ],
)
def test_counts_are_spelled_out(name: str, number: int, expected: str):
    assert counted(name, number, PLURALS) == expected


def test_number_words():
    words = [number_word(number) for number in range(100)]
    assert len(set(words)) == 100
    assert [words[number] for number in (0, 12, 13, 15, 18, 20, 21, 40, 99)] == [
        *("zero", "twelve", "thirteen", "fifteen", "eighteen", "twenty", "twenty-one", "forty", "ninety-nine")
    ]
    assert number_word(120) == "120"


def test_five_orders_of_the_same_objects():
    objects = ["sink", "mirror", "sink", "towel", "wall", "oven"]
    sentences = object_sentences(objects, 5, 0, PLURALS)
    assert len(set(sentences)) == 5
    items = {"two sinks", "a mirror", "a towel", "a wall", "an oven"}
    for sentence in sentences:
        assert set(re.split(", and |, ", sentence.removeprefix("An image with ").removesuffix("."))) == items
    assert object_sentences(objects[::-1], 5, 0, PLURALS) == sentences != object_sentences(objects, 5, 1, PLURALS)
    assert object_sentences(["wall"], 2, 0, PLURALS) == ["An image with a wall."] * 2
    assert object_sentences([], 5, 0, PLURALS) == ["An image."] * 5


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("wall-other-merged", "wall"),
        ("mirror-stuff", "mirror"),
        ("window-blind", "window blind"),
        ("traffic light", "traffic light"),
        ("water-other", "water"),
    ],
)
def test_labels_as_one_would_say_them(label: str, expected: str):
    assert class_name(label) == expected


@pytest.mark.skipif("TR2M_SAMPLES" not in os.environ, reason="TR2M_SAMPLES names no folder of real captions")
def test_against_rsas_sentences_of_the_same_objects():
    """RSA cut names to their first word: whole frames of one-word names must agree, item by item."""
    compared = 0
    with tarfile.open(Path(os.environ["TR2M_SAMPLES"]) / "rsa_text_test.tar.gz") as archive:
        texts = {m.name: archive.extractfile(m).read().decode() for m in archive if "/nyu/test/bathroom" in m.name}
    for name, segments in texts.items():
        if not name.startswith("seg_txt_panoptic"):
            continue
        objects = [line.rpartition(" ")[0] for line in segments.splitlines()]
        if any(" " in one for one in objects):
            continue
        theirs = texts[name.replace("seg_txt_panoptic", "text_all")].splitlines()[10:]
        ours = object_sentences(objects, 5, 0, PLURALS)
        for mine, their in zip(ours, theirs, strict=True):
            assert sorted(re.split(r" with |, and |, |\.", mine)) == sorted(re.split(r" with |, and |, |\.", their))
        compared += 1
    assert compared > 20


def test_whole_sentences_that_clip_reads():
    assert whole_sentences("  A room.\n\nIt has a bed. And a ") == "A room. It has a bed."
    assert whole_sentences("A room that never") == "A room that never"
    assert whole_sentences(" \n") == "An image."
    long = " ".join(["There is a chair beside the table."] * 12)
    kept = whole_sentences(long)
    assert long.startswith(kept)
    assert count_tokens(kept) <= 77 < count_tokens(f"{kept} There is a chair beside the table.")
