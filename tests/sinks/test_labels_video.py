from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import media
import numpy as np
import pytest
from clips import Clip, clip, milliseconds, read

from videoparts.config import SourceSettings
from videoparts.errors import OutputError
from videoparts.frames import ColourTags
from videoparts.masks import Part, PartMasks
from videoparts.sinks.formats import FORMATS
from videoparts.sinks.videos.labels_video import LabelsVideo
from videoparts.sources import open_source


def write(folder, made, only=slice(None), batch=4, labels=None, **more):
    """``labels``: (N, H, W) in place of the clip's stripes."""
    with LabelsVideo(folder, made.info, **more) as sink:
        done = 0
        for masks in made.masks(batch, only):
            if labels is not None:
                masks, done = replace(masks, labels=labels[done : done + len(masks)]), done + len(masks)
            sink.write(masks)
    return sink


def grey(path):
    """The numbers in a file, straight from the decoder, and the frames."""
    with av.open(str(path)) as source:
        frames = list(source.decode(video=0))
    assert {frame.format.name for frame in frames} == {"gray"}
    planes = [np.frombuffer(f.planes[0], np.uint8).reshape(f.height, -1)[:, : f.width] for f in frames]
    return np.stack(planes), frames


@pytest.mark.parametrize("kind", ["25", "29.97", "variable"])
@pytest.mark.parametrize("size", [(48, 64), (35, 51), (1, 1), (2, 301)])
def test_every_label_of_every_frame_comes_back_at_its_time(tmp_path, kind, size):
    made = clip("x.mp4", kind, size=size)
    labels = np.random.default_rng(1).integers(0, 256, (12, *size), np.uint8)
    sink = write(tmp_path / "out", made, labels=labels)
    assert sink.outputs == (tmp_path / "out" / "labels.mkv",)
    assert sink.notes == ()
    values, frames = grey(sink.outputs[0])
    assert np.array_equal(values, labels)
    assert {frame.color_range for frame in frames} == {2}
    found = read(sink.outputs[0])
    assert (found.codec, found.size, found.sound_codec) == ("ffv1", size, None)
    assert found.times == milliseconds(made, made.pts)
    # Who asks for colours gets the same numbers three times: no range and no matrix is applied.
    assert np.array_equal(found.frames, np.repeat(labels[..., None], 3, axis=-1))


@pytest.mark.parametrize("tags", [ColourTags(9, 16, 9, 1), ColourTags(1, 1, 1, 2), ColourTags()])
def test_labels_are_no_colours(tmp_path, tags):
    made = clip("x.mp4", colour=tags)
    write(tmp_path, made)
    assert read(tmp_path / "labels.mkv").tags == ColourTags(range=2)
    with av.open(str(tmp_path / "labels.mkv")) as source:  # as a reader sees it who strips no tags
        asked = [frame.to_ndarray(format="rgb24")[..., 1] for frame in source.decode(video=0)]
    assert np.array_equal(asked, np.concatenate([masks.labels for masks in made.masks()]))


def test_every_frame_is_a_key_frame(tmp_path):
    write(tmp_path, clip("x.mp4"))
    with av.open(str(tmp_path / "labels.mkv")) as source:
        assert [packet.is_keyframe for packet in source.demux(video=0) if packet.size] == [True] * 12


def test_times_that_begin_late_are_kept_and_those_below_zero_shifted(tmp_path):
    late, early = clip("x.mp4", "29.97", offset=7), clip("x.mp4", "variable", offset=-3000)
    write(tmp_path / "late", late)
    write(tmp_path / "early", early)
    write(tmp_path / "middle", clip("x.mp4"), only=slice(5, 9))
    assert read(tmp_path / "late" / "labels.mkv").times == milliseconds(late, late.pts)
    assert read(tmp_path / "early" / "labels.mkv").times == milliseconds(early, [p + 3000 for p in early.pts])
    assert read(tmp_path / "middle" / "labels.mkv").times == [Fraction(n, 25) for n in range(4)]


def test_an_upright_rotated_clip(tmp_path):
    path = media.Clip(frames=6, rotation=90).write(tmp_path / "in.mp4")
    source = open_source(path, SourceSettings(decoder="pyav"))
    made = Clip(source.info, np.empty(0), [])
    wanted, pts = [], []
    with LabelsVideo(tmp_path, source.info) as sink:
        for frames in source.batches(4):
            labels = frames.pixels[..., 0] // 2
            sink.write(PartMasks(frames, labels))
            wanted.append(labels)
            pts += frames.pts.tolist()
    assert source.info.rotation == 90
    values, _ = grey(tmp_path / "labels.mkv")
    assert values.shape == (6, 128, 96)
    assert np.array_equal(values, np.concatenate(wanted))
    assert read(tmp_path / "labels.mkv").times == milliseconds(made, pts)


def test_the_bytes_do_not_depend_on_the_run_the_batches_or_the_threads(tmp_path):
    made = clip("x.mp4", "variable", size=(243, 322))
    labels = np.random.default_rng(1).integers(0, 4, (12, 243, 322), np.uint8)
    contents = set()
    for batch, threads in ((4, 1), (1, 4), (5, 4), (5, 2)):
        write(tmp_path, made, batch=batch, labels=labels, threads=threads)
        contents.add((tmp_path / "labels.mkv").read_bytes())
    assert len(contents) == 1


def test_pixel_aspect_is_kept(tmp_path):
    made = clip("x.mp4", aspect=Fraction(4, 3))
    assert write(tmp_path, made).notes == ()
    assert read(tmp_path / "labels.mkv").aspect == Fraction(4, 3)
    values, _ = grey(tmp_path / "labels.mkv")
    assert np.array_equal(values, np.concatenate([masks.labels for masks in made.masks()]))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path, error):
    with pytest.raises(error), LabelsVideo(tmp_path / "new", clip("x.mp4").info) as sink:  # noqa: PT012
        sink.write(next(clip("x.mp4").masks()))
        raise error
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_touched_before_the_with_and_no_frames_are_an_error(tmp_path):
    sink = FORMATS["labels"].open(tmp_path / "new", clip("x.mp4").info, [Part(7, "tail", (1, 2, 3))])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="no frame to write"), sink:
        assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == []


def test_the_source_is_never_written_over(tmp_path):
    with pytest.raises(OutputError, match="is an input too"):
        LabelsVideo(tmp_path, clip(tmp_path / "labels.mkv").info)
