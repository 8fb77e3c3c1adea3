"""No error of the tool itself reads as an answer about parts: 0 is well, 1 and 2 are predict's, the rest are errors."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from radar.cli.exit_codes import DONE, FAILED, REFUSED, guarded
from radar.cli.main import main
from radar.errors import ConfigError, Interrupted


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "last_line"),
    [
        (ConfigError("seed: wrong"), 3, "radar: seed: wrong"),
        (SystemExit(2), 4, "radar: something ended the process before it was done; the traceback is above"),
        (SystemExit(0), 4, "radar: something ended the process before it was done; the traceback is above"),
        (
            ModuleNotFoundError("No module named 'x'", name="x.y"),
            3,
            "radar: x cannot be imported (ModuleNotFoundError: No module named "
            "'x'); see that it is whole, and what environment variables it reads",
        ),
        (ZeroDivisionError("planted"), 4, "radar: this is an error of radar itself; the traceback is above"),
        (ImportError("no torch"), 4, "radar: this is an error of radar itself; the traceback is above"),
        (MemoryError(), 4, "radar: this is an error of radar itself; the traceback is above"),
        (KeyboardInterrupt(), 130, "radar: interrupted"),
        (Interrupted(143, "go on"), 143, "radar: interrupted; go on"),
    ],
    ids=lambda value: repr(value) if isinstance(value, BaseException) else "",
)
def test_whatever_ends_a_command(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, last_line: str
) -> None:
    assert guarded(raising(error)) == code
    printed = capsys.readouterr().err
    assert printed.rstrip("\n").rpartition("\n")[2] == last_line
    assert ("Traceback" in printed) == (code == FAILED)


@pytest.mark.parametrize(("given", "code"), [(0, DONE), (None, DONE), (1, REFUSED), (2, REFUSED)])
def test_argparse_and_hydra_may_end_a_command(given: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert guarded(lambda: argparse.ArgumentParser().exit(given)) == code
    exit_of_python = sys.exit
    monkeypatch.setattr("sys.exit", lambda status=None: exit_of_python(status))  # as W&B does to watch it
    assert guarded(lambda: argparse.ArgumentParser().exit(given)) == code


@pytest.mark.parametrize("code", [0, 1, 2])
def test_answers_pass_as_they_are(code: int) -> None:
    assert guarded(lambda: code) == code


@pytest.mark.parametrize("verb", ["data", "predict", "report", "compare", "transfer", "status", "cache"])
def test_a_wrong_option_of_any_verb_is_refused(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert main([verb, "--nothing"]) == REFUSED
    assert verb in capsys.readouterr().err
    assert main([verb, "--help"]) == 0
    assert f"radar {verb}" in capsys.readouterr().out


def test_the_help_names_every_verb_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for verb in ("data", "predict", "report", "compare", "transfer", "status", "cache"):
        assert f"\n  radar {verb} " in printed


def test_nobody_reads_the_output_any_more() -> None:
    code = "from radar.cli.exit_codes import guarded\nimport sys\n"
    code += "def talk():\n while True: print('x' * 1000)\nsys.exit(guarded(talk))"
    talking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert talking.stdout is not None and talking.stderr is not None
    talking.stdout.readline()
    talking.stdout.close()
    assert talking.wait(60) == 141
    assert talking.stderr.read() == ""


def test_a_package_that_is_not_there_is_no_answer_about_parts(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--package", "foo", "--cfg", "job"]) == REFUSED
    assert "'foo' not found in config" in capfd.readouterr().err
    assert main(["--package", "patch", "--cfg", "job"]) == DONE


def test_a_library_that_cannot_be_imported_is_named_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("def check():\n    raise ValueError('bad\\nsetting')\ncheck()\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from radar.cli.main import process; process()"
    answer = subprocess.run(
        [sys.executable, "-c", code, "predict", str(tmp_path), "x.png"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == REFUSED
    assert answer.stderr == (
        "radar: torch cannot be imported (ValueError: bad setting); see that it is whole, and what environment variables it reads\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["module://nowhere.backend_inline", "bogus"])
def test_the_backend_of_a_notebook_stops_nothing(tmp_path: Path, backend: str) -> None:
    words = ["experiment=lof_texture", "dataset=printed_layers", f"output_root={tmp_path}", "trainer.threads=1"]
    answer = subprocess.run(
        [sys.executable, "-m", "radar", *words], env={**os.environ, "MPLBACKEND": backend}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert answer.returncode == DONE and list(tmp_path.glob("*/figures/*.png")), answer.stderr


def utf_16(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.slow
@pytest.mark.parametrize("make", [utf_16, os.mkfifo, lambda path: path.write_text("image.lut: 4\ntext.usetex: true\n")])
def test_a_matplotlibrc_of_the_working_folder_changes_nothing(tmp_path: Path, make: Callable[[Path], object]) -> None:
    def panel(folder: str) -> bytes:
        (tmp_path / folder).mkdir(exist_ok=True)
        words = [
            "experiment=lof_texture",
            "dataset=printed_layers",
            "trainer.threads=1",
            f"output_root={tmp_path / folder / 'out'}",
        ]
        code = "from radar.cli.main import process; process()"
        answer = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path / folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert answer.returncode == DONE and "matplotlib" not in answer.stderr, answer.stderr
        (picture,) = (tmp_path / folder / "out").glob("*/figures/panels.png")
        return picture.read_bytes()

    (tmp_path / "theirs").mkdir()
    make(tmp_path / "theirs" / "matplotlibrc")
    assert panel("theirs") == panel("mine")


@pytest.mark.parametrize(("signals", "code"), [(1, DONE), (2, -signal.SIGINT)])
def test_ctrl_c_twice_ends_a_process_that_does_not_end(signals: int, code: int) -> None:
    script = (
        "import atexit, os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"atexit.register(lambda: [os.kill(os.getpid(), signal.SIGINT) for _ in range({signals})]); "
        "sys.argv[1:] = ['--version']; from radar.cli.main import process; process()"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert answer.returncode == code and "Traceback" not in answer.stderr, answer.stderr


@pytest.mark.parametrize(("module", "code"), [("radar.cli.main", DONE), ("radar.runtime.__main__", REFUSED)])
def test_ctrl_c_while_the_process_ends_changes_nothing(module: str, code: int) -> None:
    script = (
        "import atexit, os, signal, sys; atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT)); "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"sys.argv[1:] = ['--version']; from {module} import process; process()"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert answer.returncode == code and "Traceback" not in answer.stderr, answer.stderr
