"""A disk that is full, or may not be written, at whatever operation: one line with the path and what to name, and nothing lost."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from deploy_builders import drawn, quick_model, save, save_model
from faulty_disk import Disk, faulty
from PIL import Image

from radar.cli.main import main
from radar.errors import WriteError
from radar.files import locked, make_folder, read_json, write_atomically, write_json
from radar.runtime.log import continued_log, new_log

QUICK = (
    "method=lof_texture", "method.controls=[]", "dataset.synthetic.side=48", "dataset.synthetic.train=12", "trainer=cpu",
    "dataset.synthetic.test_normal=4", "dataset.synthetic.test_defective=4", "dataset.image.size=48", "trainer.threads=1",
    "trainer.progress=false", "evaluation.noise.permutations=19", "name=r", "logger=csv", "evaluation.figures=false",
)  # fmt: skip
TRAINED = (
    *QUICK[1:], "method=radar", "patch=14x14", "unet=small", "scoring.stride=7", "training.max_steps=4", "training.epoch_steps=2",
    "training.batch_size=4", "training.warmup_steps=1", "training.validation_patches=8",
)  # fmt: skip
SHARE = int(os.environ.get("RADAR_FAULTS", "5"))  # operations of a command that fail, evenly over it; 0: each of them
WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_atomically(path, lambda file: file.write(b"x" * 10_000)),
    "JSON": lambda path: write_json(path, {"a": [1] * 1000}),
    "array": lambda path: write_atomically(path, lambda file: np.save(file, np.zeros(10_000))),
    "arrays": lambda path: write_atomically(path, lambda file: np.savez_compressed(file, a=np.random.rand(10_000))),
    "tensors": lambda path: write_atomically(path, lambda file: torch.save(torch.rand(10_000), file)),
    "picture": lambda path: write_atomically(path, lambda file: noise().save(file, "PNG")),
}
CODES = {
    "full": errno.ENOSPC,
    "read-only": errno.EROFS,
    "forbidden": errno.EACCES,
    "broken": errno.EIO,
    "gone": errno.ENOENT,
}


def noise() -> Image.Image:
    return Image.fromarray(drawn(0))


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_whatever_fails_while_a_file_is_written_is_one_line_and_leaves_the_old_one(
    tmp_path: Path, write: Callable[[Path], object], code: int
) -> None:
    (path := tmp_path / "kept").write_text("as it was")
    with faulty(whole := Disk(tmp_path, None)):
        write(tmp_path / "other")
    (tmp_path / "other").unlink()
    for first in range(len(whole.operations)):
        with faulty(Disk(tmp_path, first, code)), pytest.raises(WriteError) as error:
            write(path)
        assert f"{path}: cannot be written ({os.strerror(code)})" in str(error.value) and "\n" not in str(error.value)
        assert path.read_text() == "as it was" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_file_that_may_not_grow_is_one_line(tmp_path: Path, write: Callable[[Path], object]) -> None:
    """The system's own refusal, of a limit, where libraries raise errors of their own."""
    names = {each: name for name, each in WRITERS.items()}
    script = (
        "import resource, signal, sys\nsys.path[:0] = sys.argv[2:]\nfrom pathlib import Path\nfrom test_writing import WRITERS\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))\n"
        f"WRITERS[{names[write]!r}](Path(sys.argv[1]) / 'x')\n"
    )
    here = Path(__file__).parent
    words = [sys.executable, "-c", script, str(tmp_path), str(here), str(here.parent)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    assert f"WriteError: {tmp_path / 'x'}: cannot be written (File too large)" in answer.stderr
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_too_long_a_folder_that_is_a_file_and_no_locks_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, reason in ((tmp_path / ("a" * 300), "too long"), (tmp_path / "file" / "x", "Not a directory")):
        with pytest.raises(WriteError, match=reason):
            write_json(path, {})
        with pytest.raises(WriteError, match=reason):
            make_folder(path)
    with pytest.raises(FileNotFoundError):  # which is no damage: nothing is stored below a file
        read_json(tmp_path / "file" / "x", "remedy")
    (tmp_path / ("a" * 255)).write_text("")
    write_json(tmp_path / ("a" * 255), {})  # as long as a name may be
    with (
        faulty(Disk(tmp_path, 1, errno.ENOLCK)),
        pytest.raises(WriteError, match="knows no locks"),
        locked(tmp_path / "l"),
    ):
        pass


@pytest.mark.parametrize("opened", [continued_log, new_log])
def test_a_log_of_predictions_is_one_line(tmp_path: Path, opened: Callable[..., object]) -> None:
    options = {"remember": print} if opened is continued_log else {"force": True, "forget": print}
    with faulty(whole := Disk(tmp_path, None)), opened(tmp_path / "out", **options):  # type: ignore[attr-defined]
        pass
    for first in range(len(whole.operations)):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        with (
            faulty(Disk(tmp_path, first)),
            pytest.raises(WriteError, match="No space left"),
            opened(tmp_path / "out", **options),  # type: ignore[attr-defined]
        ):
            pass


@pytest.mark.parametrize("opened", ["continued_log(out, print)", "new_log(out, force=True, forget=print)"])
def test_a_log_that_may_not_grow_is_one_line_also_when_it_is_closed(tmp_path: Path, opened: str) -> None:
    """What a file did not take is tried once more on closing."""
    script = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom radar.runtime.log import continued_log, new_log\n"
        "from radar.runtime.prediction import COLUMNS, Prediction\nout = Path(sys.argv[1])\n"
        "said = Prediction(**{**dict.fromkeys(COLUMNS), 'path': 'a' * 300, 'regions': (), 'model': 'm'})\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"with {opened} as log:\n"
        "    log.append(said)\n"
        "    size = (out / 'predictions.jsonl').stat().st_size\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))\n"
        "    log.append(said)\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "out")]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    last = answer.stderr.splitlines()[-1]
    assert "WriteError: " in last and "cannot be written (File too large)" in last


def test_a_table_that_cannot_be_closed_is_one_line(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def close(self) -> None:
            if not self.closed:
                super().close()
                raise OSError(errno.ENOSPC, "No space left on device")

    with continued_log(tmp_path / "out", print) as log:
        log._table.close()
        log._table = Full()
        with pytest.raises(WriteError, match=r"predictions\.csv: cannot be written \(No space left"):
            log.close()


Check = Callable[[Path], object]


def scores(root: Path) -> bytes:
    (run,) = root.glob("out/r-*")
    return (run / "scores.csv").read_bytes() + (run / "model" / "model.safetensors").read_bytes()


def texts(root: Path) -> dict[str, bytes]:
    found = (path for path in (root / "out").rglob("*") if path.suffix in (".csv", ".png", ".md"))
    return {path.name: path.read_bytes() for path in found if path.name != "predictions.csv"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and photos beside it."""
    root = tmp_path_factory.mktemp("model")
    save_model(quick_model(root / "drawn", normals=12), root / "model")
    for seed in range(3):
        save(root / "photos" / f"{seed}.png", drawn(100 + seed, spot=seed == 1))
    return root


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model can be exported; what it shares lies beside it."""
    root = tmp_path_factory.mktemp("done")
    assert main([*TRAINED, f"output_root={root}"]) == 0
    (run,) = (path.parent for path in root.glob("r-*/status.json"))
    return run


BRIEF = ("split", "predict", "calibrate")
COMMANDS: dict[str, tuple[str, Check]] = {  # words, and what must be there in the end
    "run": (" ".join((*QUICK, "output_root=ROOT/out")), scores),
    "trained run": (" ".join((*TRAINED, "output_root=ROOT/out")), scores),
    "sweep": (f"-m seed=0 {' '.join(QUICK)} output_root=ROOT/out", scores),
    "split": (f"data split ROOT/out/split.csv {' '.join(QUICK[2:8])}", texts),
    "write": (f"data write ROOT/out/set {' '.join(QUICK[2:8])}", texts),
    "predict": ("predict MODEL/model MODEL/photos --out ROOT/out --overlays --masks --force", texts),
    "calibrate": ("calibrate ROOT/model --threshold 0.5", lambda root: None),
    "report": ("report DONE/.. --out ROOT/out resamples=10 permutations=19", texts),
    "export": ("export DONE/model --to onnx --out ROOT/out", lambda root: (root / "out" / "model.onnx").read_bytes()),
    "prune": (
        "cache prune --days 0 output_root=ROOT/runs",
        lambda root: list((root / "runs" / "cache").glob("*/*/made.json")),
    ),
}


@pytest.mark.parametrize(
    "name", [each if each in BRIEF else pytest.param(each, marks=pytest.mark.slow) for each in COMMANDS]
)
def test_a_disk_that_fills_up_at_any_operation_of_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, model: Path, done: Path
) -> None:
    words, result = COMMANDS[name]

    def run(root: Path, first: int | None) -> tuple[int, Disk]:
        given = {"ROOT": str(root), "MODEL": str(model), "DONE": str(done)}
        arguments = words
        for word, path in given.items():
            arguments = arguments.replace(word, path)
        with faulty(disk := Disk(root, first)):
            return main(arguments.split()), disk

    def fresh(number: object) -> Path:
        (root := tmp_path / str(number)).mkdir()
        if name == "calibrate":
            shutil.copytree(model / "model", root / "model")
        if name == "prune":
            shutil.copytree(done.parent, root / "runs")
        return root

    good = (0, 1)  # of predict: some are defective
    code, whole = run(fresh("whole"), None)
    assert code in good, capsys.readouterr().err
    expected = result(tmp_path / "whole")
    total = len(whole.operations)
    for first in range(0, total, max(1, total // SHARE) if SHARE else 1):
        root = fresh(first)
        capsys.readouterr()
        code, _ = run(root, first)
        told = capsys.readouterr().err
        where = f"{name}, operation {first} of {total}: {whole.operations[first]}\n{told}"
        assert "Traceback" not in told, where
        assert code in (*good, 3, 4), where
        if code not in good:
            lines = [line for line in told.splitlines() if "No space left on device" in line]
            assert lines and all(line.startswith("radar: ") and str(root) in line for line in lines), where
            assert "name" in lines[-1], where
        # threads that share work may take fewer operations, so that the fault comes too late; prune passes over what it cannot lock
        if code not in good or result(root) != expected:
            again, _ = run(root, None)
            assert again in good, where + capsys.readouterr().err
        assert result(root) == expected, where
        assert not list(root.rglob(".*.tmp")) or name in ("report", "predict"), where
        shutil.rmtree(root)
