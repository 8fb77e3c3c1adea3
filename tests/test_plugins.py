"""The registry of what is chosen by name, and the modules and distributions that add to it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from radar import plugins
from radar.errors import ConfigError
from radar.plugins import Registry, config_folders, import_plugins, imported_plugins

Write = Callable[[str, str], Path]


class Shape:
    name = "shape"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A folder on `sys.path` to write files into; what is imported from it is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "_imported", {})
    before = set(sys.modules)

    def write(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]
    plugins._modules.cache_clear()
    plugins._entry_points.cache_clear()


@pytest.fixture
def registry(site: Write) -> Registry[Shape]:
    """Of a package with the built-ins circle and square, beside a base class and a helper."""
    site("shapes/__init__.py", "")
    site("shapes/shape.py", "class Shape:\n    name = 'shape'")
    site("shapes/_helper.py", "")
    site("shapes/parts/__init__.py", "")
    for name in ("circle", "square"):
        text = f"from shapes.shape import Shape\nclass {name.title()}(Shape):\n    name = {name!r}"
        site(f"shapes/{name}.py", text)
    return Registry(kind="shape", group="radar.methods", package="shapes", besides=("shape",))


def distribution(site: Write, name: str, entries: str) -> None:
    site(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    site(f"{name}-1.0.dist-info/entry_points.txt", f"[radar.methods]\n{entries}\n")
    plugins._entry_points.cache_clear()


def test_built_ins_are_found_by_file_name_and_imported_when_asked_for(registry: Registry[Shape]) -> None:
    assert registry.names() == ("circle", "square")
    assert "shapes.circle" not in sys.modules
    assert registry.get("circle").__qualname__ == "Circle"
    assert "shapes.square" not in sys.modules


def test_entry_points_of_an_installed_distribution(registry: Registry[Shape], site: Write) -> None:
    site("outside/__init__.py", "")
    site("outside/star.py", "class Star:\n    name = 'star'")
    folder = site("outside/conf/method/star.yaml", "").parents[1]
    distribution(site, "outside", "star = outside.star:Star")
    assert registry.names() == ("circle", "square", "star")
    assert config_folders() == (folder,)
    assert "outside" not in sys.modules
    assert registry.get("star").__module__ == "outside.star"


def test_a_module_named_on_the_command_line(registry: Registry[Shape], site: Write) -> None:
    site("mine.py", "from radar.plugins import import_plugins\n")
    folder = site("conf/method/mine.yaml", "").parents[1]
    import_plugins(["mine"])
    import_plugins(["mine"])
    assert imported_plugins() == ("mine",)
    assert config_folders() == (folder,)
    registry.register(Shape)
    assert registry.get("shape") is Shape


def test_a_module_in_the_working_folder_is_found(
    site: Write, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("here")
    (folder / "nearby_plugin.py").write_text("")
    monkeypatch.chdir(folder)
    import_plugins(["nearby_plugin"])
    assert imported_plugins() == ("nearby_plugin",)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param("bad = nowhere:Bad", "entry point nowhere:Bad cannot be imported (ModuleNotFoundError: ", id="missing"),
        pytest.param("bad = faulty:Bad", "faulty:Bad is no class with `name` bad; mend or remove other", id="other-name"),
        pytest.param("bad = ending:Bad", "ending:Bad cannot be imported (SystemExit: 0)", id="ends-the-command"),
        pytest.param("bad = faulty:number", "faulty:number is no class with `name` bad", id="no-class"),
    ],
)  # fmt: skip
def test_an_entry_point_that_cannot_be_used(registry: Registry[Shape], site: Write, entry: str, message: str) -> None:
    site("faulty.py", "number = 3\nclass Bad:\n    name = 'good'")
    site("ending.py", "raise SystemExit(0)")
    distribution(site, "other", entry)
    with pytest.raises(ConfigError) as error:
        registry.get("bad")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_the_known_ones_and_imports_nothing(registry: Registry[Shape]) -> None:
    for name in ("this", "shape", "_helper", "parts", "../circle", "shapes.circle", ""):
        with pytest.raises(ConfigError, match=r"use one of circle, square, or name its module with --plugins"):
            registry.get(name)
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("circle", "has the name of a built-in shape; rename it", id="built-in"),
        pytest.param("shape", "has the name of .*Shape; rename one", id="another"),
        pytest.param("no name", "needs a class attribute `name`", id="words"),
        pytest.param(None, "needs a class attribute `name`", id="none"),
    ],
)
def test_a_class_that_cannot_be_registered(registry: Registry[Shape], name: str | None, message: str) -> None:
    registry.register(Shape)
    with pytest.raises(ConfigError, match=message):
        registry.register(type("Other", (Shape,), {"name": name}))


@pytest.mark.parametrize(
    ("module", "text", "message"),
    [
        pytest.param("absent", None, "--plugins absent: no such module; install it, or run in its folder", id="absent"),
        pytest.param("a.b", None, "--plugins a.b: no such module", id="absent-package"),
        pytest.param("needs", "import absent_thing", "cannot be imported .*absent_thing", id="needs-absent"),
        pytest.param("broken", "1 / 0", "ZeroDivisionError: division by zero.; mend the module", id="fails"),
        pytest.param("ends", "raise SystemExit(0)", "cannot be imported .SystemExit: 0.; mend", id="ends-the-command"),
        pytest.param("refused", "from radar.errors import ConfigError\nraise ConfigError('in my words')", "^in my words$",
                     id="refuses"),
    ],
)  # fmt: skip
def test_a_plugin_module_that_cannot_be_used(site: Write, module: str, text: str | None, message: str) -> None:
    if text is not None:
        site(f"{module}.py", text)
    with pytest.raises(ConfigError, match=message):
        import_plugins([module])
    assert imported_plugins() == ()


def test_the_code_of_ones_own_is_known_by_its_file_as_it_was_imported(registry: Registry[Shape], site: Write) -> None:
    text = "class Triangle:\n    name = 'triangle'\n"
    file = site("triangle.py", text)
    triangle = registry.register(import_module("triangle").Triangle)
    file.write_text(text + "    sides = 3\n")
    own = plugins.own_code(triangle)
    assert own == hashlib.sha256(text.encode()).hexdigest(), "not of what stands there now and was not imported"
    del sys.modules["triangle"]
    assert plugins.own_code(import_module("triangle").Triangle) not in (own, None)
    assert plugins.own_code(Registry) is None, "of this package, whose versions are raised"
    assert plugins.own_code(type("Written", (), {"__module__": "nowhere"})) is None, "as in a notebook, of no file"
