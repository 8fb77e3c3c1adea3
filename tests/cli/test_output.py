"""Nobody reads what a command prints: what is computed is there all the same, and an exit code says the same."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_builders import metrics
from rich.box import HEAVY_HEAD, SIMPLE, Box
from rich.cells import cell_len
from rich.table import Table

from radar.cli.exit_codes import DONE, FAILED, REFUSED, guarded
from radar.cli.output import lasting_output
from radar.cli.printing import PlainConsole, results_table
from radar.errors import ConfigError

RADAR = f'"{sys.executable}" -m radar'
RUN = f"{RADAR} experiment=debug method=lof"
BROKEN_PIPE = 141


class Nobody(io.StringIO):
    """A reader who has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def ended(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a command line, in a folder of its own."""
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=600)


def closed_pipe() -> int:
    """What is written to a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize(
    "redirection",
    [
        "2>&1 | true",
        "> /dev/full",
        pytest.param("2> /dev/full", marks=pytest.mark.slow),
        pytest.param(">&- 2>&- <&-", marks=pytest.mark.slow),
        pytest.param("sweep.isolated=true seed=1,2 -m 2>&1 | true", marks=pytest.mark.slow),
        pytest.param("hydra/launcher=joblib hydra.launcher.n_jobs=2 seed=1,2 -m 2>&1 | true", marks=pytest.mark.slow),
    ],
)
def test_a_run_goes_on_where_nobody_reads_what_it_prints(tmp_path: Path, redirection: str) -> None:
    answer = ended(f"{RUN} {redirection}; exit ${{PIPESTATUS[0]}}", tmp_path)
    jobs = 2 if "seed=1,2" in redirection else 1
    assert answer.returncode == DONE and "Traceback" not in answer.stderr
    assert len(list(tmp_path.glob("outputs/printed_layers-*/metrics.json"))) == jobs
    told = "radar: note: standard output cannot be written (No space left on device); the command goes on without it"
    assert answer.stderr.count(told) == (redirection == "> /dev/full")


@pytest.mark.parametrize("words", ["data list", "--version", "--cfg job", "experiment=debug --dry-run"])
def test_what_shows_something_ends_without_a_word(tmp_path: Path, words: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "radar", *words.split()],
        stdout=closed_pipe(),
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        check=False,
        text=True,
        timeout=600,
    )
    assert (process.returncode, process.stderr) == (BROKEN_PIPE, "")


@pytest.mark.parametrize("words", ["--cfg job", "--version"])
def test_what_shows_something_is_refused_where_there_is_no_space_for_it(tmp_path: Path, words: str) -> None:
    answer = ended(f"{RADAR} {words} > /dev/full", tmp_path)
    assert answer.returncode == REFUSED
    assert answer.stderr.startswith("radar: standard output cannot be written (No space left on device)")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("redirection", ["2>&1 | true", "2> /dev/full", "2>&-"])
def test_a_refusal_that_nobody_reads_is_none_about_parts(tmp_path: Path, redirection: str) -> None:
    answer = ended(f"{RADAR} predict nothing.here photo.png {redirection}; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (REFUSED, "", "")


def test_no_error_is_lost_in_a_failure_to_print_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise ConfigError("seed: wrong")

    def failed() -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "stderr", Nobody())
    codes = guarded(refused), guarded(failed)
    monkeypatch.undo()
    assert codes == (REFUSED, FAILED)


def test_a_console_tells_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenPipeError):
        PlainConsole(file=Nobody()).print("x")


def standing_for_stdout(monkeypatch: pytest.MonkeyPatch, descriptor: int) -> None:
    """Let a descriptor be the process's own standard output."""
    stream = os.fdopen(descriptor, "w", encoding="ascii", errors="backslashreplace")
    for name in ("stdout", "__stdout__"):
        monkeypatch.setattr(sys, name, stream)


def test_what_a_slow_reader_is_not_ready_for_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    lines = [f"{number} ä" for number in range(30_000)]
    received = bytearray()

    def read() -> None:
        while some := os.read(reader, 1000):
            received.extend(some)

    reading = threading.Thread(target=read)
    standing_for_stdout(monkeypatch, writer)
    with lasting_output():
        threading.Timer(0.2, reading.start).start()
        for line in lines:
            print(line)
    sys.stdout.close()
    while not reading.ident:
        pass
    reading.join()
    assert received.decode("ascii").splitlines() == [line.replace("ä", "\\xe4") for line in lines]


def test_outputs_that_are_not_the_processes_own_stay(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with lasting_output():
        assert sys.stdout is before
        print("seen")
    assert capsys.readouterr().out == "seen\n"


def test_the_output_is_as_before_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    standing_for_stdout(monkeypatch, writer)
    before = sys.stdout
    print("first")
    with pytest.raises(KeyError), lasting_output():
        assert sys.stdout is not before
        print("second")
        raise KeyError
    assert sys.stdout is before
    print("third")
    sys.stdout.close()
    with os.fdopen(reader) as pipe:
        assert pipe.read() == "first\nsecond\nthird\n"


@pytest.mark.parametrize("width", [20, 30, 57, 80, 300])
@pytest.mark.parametrize("box", [SIMPLE, HEAVY_HEAD])
def test_of_a_table_nothing_is_cut_however_narrow_a_terminal_is(width: int, box: Box) -> None:
    """Rich would leave out what does not fit, so that 0.823 becomes 0. or nothing."""
    table = Table("method", "state", title="Parts", box=box)
    table.add_column("false alarms", justify="right")
    table.add_column("AUPRO", justify="right")
    table.add_column("directory", no_wrap=True)
    rows = [
        ("same_without_network", "interrupted", f"0.{row}23 ± 0.{row}91", f"0.8{row}4", f"grid-{row}") for row in "123"
    ]
    for row in rows:
        table.add_row(*row)
    printed = io.StringIO()
    PlainConsole(file=printed, width=width).print_table(table)
    text = printed.getvalue()
    assert width < 80 or max(map(cell_len, text.splitlines())) <= width
    assert all(word in text for word in ("Parts", "method", "state", "false", "alarms", "AUPRO", "directory"))
    assert all(text.count(cell) == 1 for row in rows for cell in row[2:])
    first = "".join(line.strip("│ ").replace("│", "  ").split("  ")[0] for line in text.splitlines()[4:])
    assert first.replace(" ", "").count("same_without_network") == 3  # folded, where there is no room
    assert "…" not in text


def test_no_name_that_steers_a_terminal_takes_the_other_columns_away() -> None:
    table = Table("job", box=SIMPLE)
    table.add_column("where it lies", no_wrap=True)
    table.add_column("AUROC", justify="right")
    table.add_row("\x1b[2J" * 9, "\x07" * 12, "0.823")
    printed = io.StringIO()
    PlainConsole(file=printed, width=60).print_table(table)
    text = printed.getvalue()
    assert "where it lies" in text and "0.823" in text and "…" not in text and "\x1b" not in text
    assert text.count("x07") == 12 or text.count("u0007") == 12


def test_results_with_masks_and_all_controls_fit_a_terminal_of_80_columns() -> None:
    labels = np.array([0, 0, 1, 1])
    found = metrics(labels, labels + 0.0, labels > 0, ["good", "good", "dent", "dent"])
    control = found.controls["raw_sobel"]
    found = replace(found, controls=dict.fromkeys(("mean_brightness", "raw_sobel", "same_without_network"), control))
    printed = io.StringIO()
    PlainConsole(file=printed, width=80).print_table(results_table("A", "fused_densities", found))
    lines = printed.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    cells = [line.split() for line in lines]
    assert ["fused_densities", "1.000", "1.000", "1.000", "1.000", "1.000", "0.900", "0.800"] in cells
    assert ["·", "same_without_network", "0.600", "1.000", "1.000", "1.000", "1.000", "0.900", "0.800"] in cells
