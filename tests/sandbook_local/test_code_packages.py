"""Where the packages of a Python kernel come from, and who sees them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sandbook_local import kernel_packages, languages, layout
from sandbook_local.inside.code import packages
from tests.sandbook_local.cells import give, good, python
from tests.sandbook_local.conftest import Create, run

pytestmark = pytest.mark.anyio


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's with all that a kernel needs, and something beside it."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for name, path in kernel_packages.entries(layout.package_folders()).items():
        copy = shutil.copytree if Path(path).is_dir() else shutil.copy2
        copy(path, folder / name)
    (folder / "private_of_the_user.py").touch()
    monkeypatch.setattr(layout, "package_folders", lambda: [str(folder)])
    return folder


async def test_a_kernel_s_packages_below_no_shown_folder_are_shown_and_no_others(
    create: Create, own_folder: Path
) -> None:
    sandbox = await create()
    code = await python(sandbox)
    given, _ = await good(
        code, "import ipykernel, os; os.path.realpath(ipykernel.__path__[0])"
    )
    assert given.main() == f"'{packages.EXTRA_FOLDER}/ipykernel'"
    assert (await give(code, "import private_of_the_user")).failed is not None
    assert (own_folder / "private_of_the_user.py").exists()
    assert (await run(sandbox, f"test -e {own_folder}")).code == 1
    assert (await run(sandbox, "python3 -c 'import ipykernel'")).code == 1


def test_a_kernel_is_made_of_what_its_distributions_need_and_no_more() -> None:
    found = kernel_packages.entries(layout.package_folders())
    assert {"ipykernel", "jupyter_client", "zmq", "IPython", "tornado"} <= set(found)
    assert not {"sandbook", "anyio", "click", "pytest", "debugpy"} & set(found)
    assert all(Path(path).exists() for path in found.values())


def test_without_a_kernel_s_packages_there_is_no_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "python" in languages.languages()
    monkeypatch.setattr(layout, "package_folders", lambda: [str(tmp_path)])
    assert "python" not in languages.languages()
    with pytest.raises(kernel_packages.Missing, match=r"ipykernel|jupyter-client"):
        kernel_packages.entries([str(tmp_path)])


def test_what_a_kernel_is_made_of_is_looked_for_again_when_something_was_installed(
    tmp_path: Path,
) -> None:
    mine, cache = tmp_path / "mine", tmp_path / "cache"
    mine.mkdir()
    folders = [*layout.package_folders(), str(mine)]
    first = kernel_packages.known_entries(folders, cache)
    assert first == kernel_packages.entries(folders)
    remembered = cache / "local-kernel.json"
    remembered.write_text(remembered.read_text().replace("ipykernel", "seen_again"))
    assert "seen_again" in kernel_packages.known_entries(folders, cache)
    (mine / "something.dist-info").mkdir()
    assert kernel_packages.known_entries(folders, cache) == first
