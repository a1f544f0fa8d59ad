"""A batch's TOML file as arguments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import tyro
from videoparts.pipelines.batches.inputs import find_clips
from videoparts.pipelines.batches.jobs_file import arguments_of
from videoparts.pipelines.options import MaskOptions, Names, Output

from videoparts.errors import SettingsError, SourceError


@dataclass(frozen=True, kw_only=True)
class Options(MaskOptions):
    """Options of every kind that a batch may have."""

    inputs: tyro.conf.Positional[tuple[str, ...]]
    output: Output[Path]
    formats: Names = ("davis",)
    shared_parts: bool = False
    page: bool = True


def read(arguments: list[str]) -> Options:
    return tyro.cli(Options, args=arguments, config=(tyro.conf.OmitArgPrefixes,))


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "jobs.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def refused(folder: Path, text: str | bytes) -> str:
    file = write(folder, text)
    with pytest.raises(SettingsError) as error:
        arguments_of(file)
    said = str(error.value)
    assert said.startswith(f"{file}: ")
    assert "\n" not in said
    return said.removeprefix(f"{file}: ")


WHOLE = """
inputs = ["footage", "more/*.mp4", "-dash.mp4", "/abs/x.mp4"]
output = "-out"
formats = ["davis", "mattes"]
shared-parts = true
page = false
include = [1, 3]
model_file = "models/horse.safetensors"

[source]
start = "-1"
every = 2

[extractor]
layer = -2
load_size = 224

[compute]
weights = "../w.pth"

[refine]
eps = 1e-6
"""


class TestArguments:
    def test_every_kind_of_value(self, tmp_path: Path) -> None:
        options = read(arguments_of(write(tmp_path, WHOLE)))
        assert options.inputs == (
            f"{tmp_path}/footage",
            f"{tmp_path}/more/*.mp4",
            f"{tmp_path}/-dash.mp4",
            "/abs/x.mp4",
        )
        assert options.output == tmp_path / "-out"
        assert options.formats == ("davis", "mattes")
        assert options.shared_parts
        assert not options.page
        assert options.include == (1, 3)
        assert options.model_file == tmp_path / "models" / "horse.safetensors"
        assert (options.source.start, options.source.every) == ("-1", 2)
        assert (options.extractor.layer, options.extractor.load_size) == (-2, 224)
        assert options.compute.weights == tmp_path / ".." / "w.pth"
        assert options.refine.eps == 1e-6

    def test_inputs_come_first(self, tmp_path: Path) -> None:
        arguments = arguments_of(write(tmp_path, 'parts = 8\ninputs = "a"\noutput = "o"'))
        assert arguments == [f"{tmp_path}/a", "--parts=8", f"--output={tmp_path}/o"]

    def test_the_command_line_wins(self, tmp_path: Path) -> None:
        text = 'inputs = ["a"]\noutput = "o"\nparts = 8\nshared_parts = true\nformats = "npz"'
        given = arguments_of(write(tmp_path, text))
        options = read([*given, "--parts", "6", "-o", "p", "--no-shared-parts", "--formats", "coco"])
        assert (options.fit.parts, options.output, options.shared_parts, options.formats) == (
            6,
            Path("p"),
            False,
            ("coco",),
        )

    def test_a_table_only_groups(self, tmp_path: Path) -> None:
        flat = arguments_of(write(tmp_path, "parts = 8\noffline = true"))
        assert flat == ["--parts=8", "--offline"]
        assert arguments_of(write(tmp_path, "[fit]\nparts = 8\n[compute]\noffline = true")) == flat
        assert arguments_of(write(tmp_path, "[batch]\nparts = 8\noffline = true")) == flat

    def test_paths_are_relative_to_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        project = tmp_path / "a [b] project"
        (project / "footage").mkdir(parents=True)
        (project / "footage" / "x.mp4").touch()
        write(project, 'inputs = ["foot*/*.mp4"]')
        monkeypatch.chdir(tmp_path)
        given = arguments_of(Path("a [b] project/jobs.toml"))
        (clip,) = find_clips(given, tmp_path / "out", listed=bytes).clips
        assert clip.path == project / "footage" / "x.mp4"

    def test_the_home_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/ann")
        assert arguments_of(write(tmp_path, 'inputs = ["~/a/*/", "x~"]\noutput = "~/o"')) == [
            "/home/ann/a/*/",
            f"{tmp_path}/x~",
            "--output=/home/ann/o",
        ]

    def test_an_unknown_option_is_left_to_the_command_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = arguments_of(write(tmp_path, 'inputs = ["a"]\noutput = "o"\nno_such = 3'))
        with pytest.raises(SystemExit):
            read(given)
        assert "--no-such" in capsys.readouterr().err

    def test_a_byte_order_mark_and_windows_line_ends(self, tmp_path: Path) -> None:
        assert arguments_of(write(tmp_path, b"\xef\xbb\xbfparts = 8\r\nseed = 1\r\n")) == ["--parts=8", "--seed=1"]


class TestRefused:
    def test_no_toml(self, tmp_path: Path) -> None:
        assert "line 2" in refused(tmp_path, "parts = 8\nformats = [davis]\n")
        assert "line 2" in refused(tmp_path, "parts = 8\nparts = 9\n")
        assert "line 3" in refused(tmp_path, b'a = 1\nb = 2\nc = "\xff"\n')
        assert "TOML" in refused(tmp_path, "a = " + "[" * 100_000)
        assert "TOML" in refused(tmp_path, "a = " + "1" * 100_000)

    def test_a_value_that_no_argument_can_say(self, tmp_path: Path) -> None:
        for value in ("nan", "inf", "2020-01-01", "00:00:01", "[[1]]", "[true]", "[{a = 1}]"):
            assert refused(tmp_path, f"parts = {value}").startswith("parts must be"), value
            assert refused(tmp_path, f"[fit]\nparts = {value}").startswith("parts must be"), value
        assert refused(tmp_path, "[fit.parts]\na = 1").startswith("parts must be")

    def test_a_path_that_is_none(self, tmp_path: Path) -> None:
        for key in ("inputs", "output", "weights", "model-file", "save_model"):
            for value in ("3", "true", '""', "[[1]]", "1.5"):
                assert "must be a path in quotes" in refused(tmp_path, f"{key} = {value}"), (key, value)
        assert "standard input" in refused(tmp_path, 'inputs = ["a", "-"]')

    def test_a_table_that_is_none(self, tmp_path: Path) -> None:
        assert refused(tmp_path, "[overlay]\nalpha = 1").startswith("'overlay' is no table")
        assert "is no table" in refused(tmp_path, "parts = {a = 1}")

    def test_a_key_that_is_none(self, tmp_path: Path) -> None:
        for key in ("help", '""', '"a b"', '"parts=3"', '"-o"', '"--parts"', '"a\\nb"'):
            assert "is no option" in refused(tmp_path, f"{key} = 3"), key

    def test_the_same_option_twice(self, tmp_path: Path) -> None:
        assert "parts is given twice" in refused(tmp_path, "parts = 8\n[fit]\nparts = 9")
        assert "load-size is given twice" in refused(tmp_path, "load-size = 8\nload_size = 8")
        assert "inputs is given twice" in refused(tmp_path, 'inputs = ["a"]\n[batch]\ninputs = ["b"]')

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        for path, reason in ((tmp_path / "none.toml", "no such file"), (tmp_path, "is a directory")):
            with pytest.raises(SourceError, match=reason):
                arguments_of(path)
