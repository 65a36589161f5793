"""Reading clips with known frames."""

import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from clips import room, turned, write_clip

from tr2m.errors import UserError
from tr2m.video.clip import Clip


def test_frames_come_in_order_with_their_times(tmp_path: Path):
    seconds = [0, 0.1, 0.5, 0.55, 2.0]
    pictures = [room(number) for number in range(5)]
    clip = Clip.open(write_clip(tmp_path / "a.mp4", pictures, seconds))
    assert clip.frames == 5
    frames = list(clip)
    assert [frame.seconds for frame in frames] == pytest.approx(seconds)
    for frame, picture in zip(frames, pictures, strict=True):
        # Colour is stored at half the size: mean, not each pixel.
        assert np.abs(frame.image.astype(float) - picture).mean() < 3
    assert Clip.open(write_clip(tmp_path / "b.mp4", pictures)).fps == pytest.approx(10)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2)])
def test_a_clip_is_turned_as_it_asks(tmp_path: Path, degrees: int, turns: int):
    picture = room(0)
    clip = Clip.open(turned(write_clip(tmp_path / "a.mp4", [picture] * 2), degrees))
    image = next(iter(clip)).image
    expected = np.rot90(picture, turns)
    assert image.shape == expected.shape
    assert np.abs(image.astype(float) - expected).mean() < 3


def test_what_is_no_whole_video_is_a_sentence(tmp_path: Path):
    with pytest.raises(UserError, match=r"no file .*none.mp4"):
        Clip.open(tmp_path / "none.mp4")
    (tmp_path / "notes.mp4").write_text("not a video " * 100)
    with pytest.raises(UserError, match=r"notes.mp4 cannot be read as a video"):
        Clip.open(tmp_path / "notes.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 44100, 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(UserError, match=r"sound.mp4 has no video stream"):
        Clip.open(tmp_path / "sound.mp4")
    whole = write_clip(tmp_path / "a.mp4", [room(number) for number in range(30)]).read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"half.mp4 cannot be read as a video .*is it whole"):
        Clip.open(tmp_path / "half.mp4")


def test_a_truncated_clip_whose_index_stands_in_front_is_found_before_anything_is_predicted(tmp_path: Path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.height, stream.width = 48, 80
        stream.pix_fmt = "yuv420p"
        for number in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(room(number), format="rgb24")))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    assert Clip.open(path).frames == 30
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(UserError, match=r"a.mp4 is truncated: \d+ of 30 frames are there"):
        Clip.open(path)


def test_broken_frames_are_counted(tmp_path: Path):
    path = write_clip(tmp_path / "a.mp4", [room(number) for number in range(30)])
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    middle = (start + len(data)) // 2
    data[middle - 1000 : middle + 1000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"frames could be decoded, the rest is broken|cannot be read as a video"):
        list(Clip.open(path))


def test_frames_that_a_decoder_leaves_out_are_counted(tmp_path: Path):
    clip = Clip.open(write_clip(tmp_path / "a.mp4", [room(0), room(1)]))
    with pytest.raises(UserError, match=r"a.mp4: 2 of 3 frames could be decoded, the rest is broken"):
        list(replace(clip, frames=3))


def test_an_unknown_codec_is_a_sentence(tmp_path: Path):
    path = write_clip(tmp_path / "a.mp4", [room(0)] * 2)
    data = path.read_bytes()
    assert data.count(b"avc1") >= 1
    # The sample entry's name: a codec that nobody has.
    place = data.rindex(b"avc1")
    path.write_bytes(data[:place] + b"zzzz" + data[place + 4 :])
    with pytest.raises(UserError, match=r"a.mp4: its codec cannot be decoded here"):
        Clip.open(path)


def test_a_missing_library_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"pip install 'tr2m\[video\]'"):
        Clip.open(tmp_path / "a.mp4")
