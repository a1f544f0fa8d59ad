from __future__ import annotations

import json
import struct
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import OpenEXR
import pytest
from clips import clip
from covered import PARTS, covered, write

from videoparts.masks import Part
from videoparts.sinks.exchange.cryptomatte import Cryptomatte
from videoparts.sinks.exchange.cryptomatte_ids import float_of, murmur3, name_bits
from videoparts.sinks.exchange.ranks import ranked, split


class Decoded:
    """What a reader that knows nothing but the specification finds in a file."""

    def __init__(self, path):
        with OpenEXR.File(str(path), separate_channels=True) as file:
            self.header = dict(file.header())
            self.channels = {name: channel.pixels.copy() for name, channel in file.channels().items()}
        keys = {name.split("/")[1] for name in self.header if name.startswith("cryptomatte/")}
        (self.key,) = keys
        self.layer = self.meta("name")
        self.manifest = {name: int(bits, 16) for name, bits in json.loads(self.meta("manifest")).items()}

    def meta(self, what):
        return self.header[f"cryptomatte/{self.key}/{what}"]

    def ranks(self):
        """(R, H, W) bits of ids, and (R, H, W) coverage."""
        ids, coverage = [], []
        for layer in sorted({name[:-2] for name in self.channels if name.startswith(self.layer)}):
            for a, b in ("RG", "BA"):
                ids.append(self.channels[f"{layer}.{a}"].view(np.uint32))
                coverage.append(self.channels[f"{layer}.{b}"])
        return np.stack(ids), np.stack(coverage)

    def matte(self, name):
        """(H, W): the coverage of what has that name."""
        ids, coverage = self.ranks()
        return np.where(ids == self.manifest[name], coverage, 0).sum(0)


def check(path, parts, labels, mattes):
    """Compare a file with what was written, pixel by pixel."""
    found = Decoded(path)
    assert list(found.manifest) == [part.name for part in parts]
    for part, matte in zip(parts, mattes, strict=True):
        assert np.array_equal(np.rint(found.matte(part.name) * 255), matte)
        assert np.abs(found.matte(part.name) - matte / 255).max() < 1e-6
    ids, coverage = found.ranks()
    assert (np.diff(coverage, axis=0) <= 0).all()
    assert np.array_equal(ids == 0, coverage == 0)
    numbers = {found.manifest[part.name]: part.number for part in parts}
    first = np.vectorize(lambda bits: numbers.get(bits, 0), otypes=[np.uint8])(ids[0])
    assert np.array_equal(np.where(1 - coverage.sum(0) > coverage[0] + 1e-6, 0, first), labels)
    return found


def test_labels_and_mattes_are_read_back_exactly(tmp_path):
    made = clip("x", count=6, size=(33, 41))
    batches, sink = write(tmp_path, made, "cryptomatte", absent=[(1, 0), (3, 2)])
    labels = np.concatenate([masks.labels for masks in batches])
    mattes = np.concatenate([masks.mattes for masks in batches])
    assert sink.outputs == (tmp_path / "cryptomatte",)
    assert sink.notes == ()
    for n in range(6):
        found = check(tmp_path / "cryptomatte" / f"{n:05d}.exr", PARTS, labels[n], mattes[n])
        assert set(found.channels) == {f"VideoParts0{n}.{c}" for n in range(2) for c in "RGBA"}
        assert all(plane.dtype == np.float32 and plane.shape == (33, 41) for plane in found.channels.values())


def test_the_header_is_the_specifications(tmp_path):
    made = clip("x", "29.97", count=1, size=(33, 41), aspect=Fraction(4, 3))
    write(tmp_path, made, "cryptomatte")
    found = Decoded(tmp_path / "cryptomatte" / "00000.exr")
    assert found.layer == "VideoParts"
    assert found.meta("hash") == "MurmurHash3_32"
    assert found.meta("conversion") == "uint32_to_float32"
    assert found.key == f"{name_bits('VideoParts'):08x}"[:7]
    assert all(len(bits) == 8 for bits in json.loads(found.meta("manifest")).values())
    assert found.header["pixelAspectRatio"] == pytest.approx(4 / 3)
    assert found.header["framesPerSecond"] == Fraction(30000, 1001)
    for window in ("dataWindow", "displayWindow"):
        assert np.array_equal(found.header[window], [[0, 0], [40, 32]])
    assert max(map(len, found.header)) <= 31  # the limit of files that every reader opens
    assert not any("date" in name.lower() or "time" in name.lower() for name in found.header)


def test_another_reader_sees_the_same_floats(tmp_path):
    made = clip("x", count=1, size=(33, 41))
    write(tmp_path, made, "cryptomatte")
    path = tmp_path / "cryptomatte" / "00000.exr"
    wanted = Decoded(path).channels
    for layer in ("VideoParts00", "VideoParts01"):
        decoder = av.CodecContext.create("exr", "r")
        decoder.options = {"layer": layer}
        (frame,) = decoder.decode(av.Packet(path.read_bytes()))
        assert frame.format.name in ("gbrapf32le", "gbrapf32")
        for plane, channel in zip(frame.planes, "GBRA", strict=True):
            found = np.frombuffer(plane, np.float32).reshape(33, -1)[:, :41]
            assert np.array_equal(found, wanted[f"{layer}.{channel}"])


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_rank_for_each_part(tmp_path, count):
    parts = [Part(3 * k + 1, f"part {k}", (k, k, k)) for k in range(count)]
    made = clip("x", count=2)
    batches, _ = write(tmp_path, made, "cryptomatte", parts=parts)
    found = check(tmp_path / "cryptomatte" / "00001.exr", parts, batches[0].labels[1], batches[0].mattes[1])
    assert len(found.ranks()[0]) == 2 * -(-count // 2)


def test_of_more_than_six_the_greatest_are_kept(tmp_path):
    parts = [Part(k + 1, f"part {k}", (k, k, k)) for k in range(9)]
    made = clip("x", count=1, size=(1, 2))
    batches = list(covered(made, parts))
    batches[0].mattes[0, :, 0, 0] = [9, 50, 7, 20, 30, 8, 30, 40, 10]
    batches[0].mattes[0, :, 0, 1] = [0, 0, 255, 0, 0, 0, 0, 0, 0]
    with Cryptomatte(tmp_path, made.info, parts) as sink:
        sink.write(batches[0])
    found = Decoded(tmp_path / "cryptomatte" / "00000.exr")
    ids, coverage = found.ranks()
    names = {bits: name for name, bits in found.manifest.items()}
    assert [names[bits] for bits in ids[:, 0, 0]] == [f"part {k}" for k in (1, 7, 4, 6, 3, 8)]
    assert np.rint(coverage[:, 0, 0] * 255).tolist() == [50, 40, 30, 30, 20, 10]
    assert np.rint(coverage[:, 0, 1] * 255).tolist() == [255, 0, 0, 0, 0, 0]


def test_names_that_parts_share_are_told_apart(tmp_path):
    parts = [replace(part, name="leg") for part in PARTS]
    made = clip("x", count=1)
    batches, sink = write(tmp_path, made, "cryptomatte", parts=parts)
    named = [replace(part, name=f"leg{more}") for part, more in zip(parts, ("", " 2", " 3", " 4"), strict=True)]
    check(tmp_path / "cryptomatte" / "00000.exr", named, batches[0].labels[0], batches[0].mattes[0])
    assert len(sink.notes) == 3
    assert "part 5, 'leg', is called 'leg 2' there" in sink.notes[0]


def test_ids_are_the_specifications_examples():
    # From the specification, and floats that its authors' plug-in is tested with.
    assert murmur3(b"torus") == 4053562365
    assert murmur3("равнина".encode()) == 2518896926
    floats = {
        "torus": -1.54943624832e30,
        "равнина": -1.31926312124e-25,
        "hello": 6.0705627102400005616e-17,
        "cube": -4.08461912519e15,
        "sphere": 2.79018604383e15,
        "plane": 3.66557617593e-11,
        "mädchen": 6.2361298211599995797e25,
    }
    for name, value in floats.items():
        assert float_of(name_bits(name)) == pytest.approx(value, rel=1e-7)
    # Its example of a manifest.
    assert {name: f"{name_bits(name):08x}" for name in ("bunny", "default")} == {
        "bunny": "13851a76",
        "default": "42c9679f",
    }


def test_known_hashes_of_every_length_of_tail():
    assert murmur3(b"") == 0
    assert murmur3(b"test") == 0xBA6BD213
    assert murmur3(b"Hello, world!") == 0xC0363E43
    assert murmur3(b"The quick brown fox jumps over the lazy dog") == 0x2E4FF723


def test_no_id_is_zero_infinite_denormal_or_no_number():
    turned = 0
    for n in range(2000):
        bits = name_bits(f"part {n}")
        turned += bits != murmur3(f"part {n}".encode())
        value = np.float32(struct.unpack("<f", struct.pack("<I", bits))[0])
        assert np.isfinite(value)
        assert abs(value) >= np.finfo(np.float32).tiny
    assert turned > 5


@pytest.mark.parametrize(("count", "ranks"), [(1, 1), (3, 2), (8, 8), (255, 6)])
def test_ranks_are_those_of_a_stable_sort(count, ranks):
    rng = np.random.default_rng(count)
    mattes = rng.choice(np.array([0, 0, 1, 7, 7, 200, 255], np.uint8), (count, 11, 13))
    mattes[:, 5] = 0
    order = np.argsort(-mattes.astype(int), axis=0, kind="stable")[:ranks]
    wanted = np.take_along_axis(mattes, order, 0)
    places, coverage = split(ranked(mattes, ranks))
    assert np.array_equal(coverage, wanted)
    assert np.array_equal(places[coverage > 0], order[coverage > 0])
