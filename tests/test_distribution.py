"""The wheel and the source distribution: what is in them, and that they work in an empty environment."""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.soak import SOAK

ROOT = Path(__file__).parents[1]
LUA = sorted(path.name for path in (ROOT / "src/redstart/lua").glob("*.lua"))


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source distribution. The wheel is built from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def test_the_wheel_has_the_package_alone(distributions: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(distributions[0]) as wheel:
        names = wheel.namelist()
        metadata = next(wheel.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"redstart"}
    assert sorted(Path(name).name for name in names if name.endswith(".lua")) == LUA
    assert "redstart/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not any("/tests/" in name for name in names)
    assert "Provides-Extra: server" in metadata
    assert "Provides-Extra: dev" not in metadata


def test_the_source_distribution_has_what_the_wheel_needs(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    top = {name.split("/")[0] for name in names}
    assert top == {
        "src",
        "docs",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
        ".gitignore",
    }
    assert {name for name in names if name.startswith("docs/")} == {"docs/demo.svg"}


@pytest.mark.soak
def test_the_wheel_works_in_an_empty_environment(distributions: tuple[Path, Path], tmp_path: Path) -> None:
    """In the soak, with what it depends on as pip installs it; otherwise with what is installed here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python]
    install = [*pip, "install", distributions[0]]
    if not SOAK:
        install.append("--no-deps")
        (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
        (packages / "here.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    program = (
        "import redstart, redstart.aio, redstart.operations\n"
        "from redstart import Field, HashModel, JsonModel\n"
        "class Customer(HashModel, index=True):\n"
        "    name: str = Field(index=True)\n"
        "print(Customer(name='Ann').name, redstart.__version__, redstart.__file__)\n"
    )
    done = subprocess.run(
        [python, "-I", "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.split()[0] == "Ann"
    version, file = done.stdout.split()[1:]
    assert Path(file).is_relative_to(tmp_path)
    om = [tmp_path / "venv/bin/om"]
    assert (
        "migrate-data" in subprocess.run([*om, "--help"], check=True, capture_output=True, text=True).stdout
    )
    assert version in subprocess.run([*om, "--version"], check=True, capture_output=True, text=True).stdout
