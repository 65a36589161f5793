"""Sentences about a picture: lists of objects, and what remains of a model's free text."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from tr2m.models.frozen.text_encoder import CONTEXT_LENGTH, count_tokens

_SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_SMALL += [f"{number}teen" for number in ("thir", "four", "fif", "six", "seven", "eigh", "nine")]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def object_sentences(objects: Sequence[str], count: int, seed: int, plurals: Mapping[str, str]) -> list[str]:
    """`count` sentences such as "An image with two sinks, a mirror, and a towel.", each in an order of its own.

    The form is that of RSA's captions, but with whole class names ("traffic light" instead of "traffic").

    Args:
        objects: class names, one for each object seen; none gives "An image.".
        seed: with the objects, decides the orders.
        plurals: those that no rule gives, by the last word of a name.
    """
    if not objects:
        return ["An image."] * count
    items = [counted(name, number, plurals) for name, number in sorted(Counter(objects).items())]
    rng = np.random.default_rng([seed, zlib.crc32("\n".join(items).encode())])
    return [f"An image with {listed([items[i] for i in rng.permutation(len(items))])}." for _ in range(count)]


def listed(items: Sequence[str]) -> str:
    """ "a, b, and c"; as in RSA's captions also "a, and b"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])}, and {items[-1]}"


def counted(name: str, number: int, plurals: Mapping[str, str]) -> str:
    """ "an oven", "two knives", "twenty-one books"."""
    if number == 1:
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    return f"{number_word(number)} {plural(name, plurals)}"


def plural(name: str, plurals: Mapping[str, str]) -> str:
    """The plural of a class name, made of its last word."""
    *before, word = name.split()
    if word in plurals:
        word = plurals[word]
    elif re.search("[^aeiou]y$", word):
        word = f"{word[:-1]}ies"
    else:
        word = f"{word}es" if re.search("(s|x|z|ch|sh)$", word) else f"{word}s"
    return " ".join([*before, word])


def number_word(number: int) -> str:
    """A number from 0 to 99 in English; larger ones in digits."""
    if number < len(_SMALL):
        return _SMALL[number]
    if number > 99:
        return str(number)
    tens, ones = _TENS[number // 10 - 2], number % 10
    return f"{tens}-{_SMALL[ones]}" if ones else tens


def whole_sentences(text: str) -> str:
    """The first sentences of a text that the text encoder reads in full, on one line; at least one of them.

    A last sentence without its end, where a model had to stop, is dropped unless it is the only one. No text becomes
    "An image.".
    """
    sentences = re.split(r"(?<=[.!?]) ", " ".join(text.split()))
    if len(sentences) > 1 and sentences[-1][-1] not in ".!?":
        sentences.pop()
    while len(sentences) > 1 and count_tokens(" ".join(sentences)) > CONTEXT_LENGTH:
        sentences.pop()
    return " ".join(sentences) or "An image."
