import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sensitivenets import atomic
from sensitivenets.atomic import atomic_file, atomic_folder, check_parent
from sensitivenets.errors import InputError


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    with atomic_file(tmp_path / "a" / "f.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a" / "f.txt").exists()
        assert temporary.parent == tmp_path / "a"
    assert (tmp_path / "a" / "f.txt").read_text() == "new"
    assert names(tmp_path / "a") == ["f.txt"]


def test_a_folder_appears_when_the_block_ends(tmp_path):
    with atomic_folder(tmp_path / "a" / "d") as temporary:
        (temporary / "f.txt").write_text("new")
        assert not (tmp_path / "a" / "d").exists()
    assert (tmp_path / "a" / "d" / "f.txt").read_text() == "new"
    assert names(tmp_path / "a") == ["d"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "f.txt").write_text("old")

    def write():
        with atomic_file(tmp_path / "f.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert names(tmp_path) == ["f.txt"]
    assert (tmp_path / "f.txt").read_text() == "old"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_exception_leaves_the_old_folder_and_nothing_else(tmp_path, error):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old.txt").write_text("old")

    def write():
        with atomic_folder(tmp_path / "d") as temporary:
            (temporary / "new.txt").write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert names(tmp_path) == ["d"]
    assert names(tmp_path / "d") == ["old.txt"]


def test_an_old_folder_is_replaced_as_a_whole(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old.txt").write_text("old")
    with atomic_folder(tmp_path / "d") as temporary:
        (temporary / "new.txt").write_text("new")
    assert names(tmp_path) == ["d"]
    assert names(tmp_path / "d") == ["new.txt"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_exchange", lambda *names: False)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old.txt").write_text("old")
    rename = Path.rename

    def refuse_the_new(self, target):
        if (self / "new.txt").exists():
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(PermissionError), atomic_folder(tmp_path / "d") as temporary:
        (temporary / "new.txt").write_text("new")
    assert names(tmp_path) == ["d"]
    assert names(tmp_path / "d") == ["old.txt"]


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "f") as temporary:
            temporary.write_text("x")
        with atomic_folder(tmp_path / "d"):
            pass
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o750


def test_a_killed_process_leaves_the_old_file_readable(tmp_path):
    (tmp_path / "f.txt").write_text("old")
    code = f"""
        import os, signal
        from pathlib import Path
        from sensitivenets.atomic import atomic_file
        with atomic_file(Path({str(tmp_path / "f.txt")!r})) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "f.txt").read_text() == "old"
    # Nothing can clean up after SIGKILL; what is left is hidden and says whose it was.
    assert [name.startswith(".f.txt.") for name in names(tmp_path)] == [True, False]
    # The next run does, also of folders, and of nothing else.
    (tmp_path / ".f.txt.writing-abcd1234").mkdir()
    (tmp_path / ".f.txt.writing-abcd1234" / "half").touch()
    (tmp_path / ".f.txt.template").touch()
    with atomic_file(tmp_path / "f.txt") as temporary:
        temporary.write_text("new")
    assert names(tmp_path) == [".f.txt.template", "f.txt"]


def test_what_a_living_run_writes_is_left_alone(tmp_path):
    with atomic_file(tmp_path / "f") as mine:
        mine.write_text("mine")
        with atomic_file(tmp_path / "f") as other:
            other.write_text("other")
        assert mine.read_text() == "mine"
    with atomic_folder(tmp_path / "d") as mine, atomic_folder(tmp_path / "d") as other:
        assert mine.exists()
        assert other.exists()
    assert names(tmp_path) == ["d", "f"]
    assert (tmp_path / "f").read_text() == "mine"


def test_a_link_of_such_a_name_is_left_alone(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").touch()
    (tmp_path / ".f.writing-abcd1234").symlink_to(tmp_path / "kept")
    with atomic_file(tmp_path / "f"):
        pass
    assert names(tmp_path / "kept") == ["x"]


def test_there_is_a_folder_at_every_moment_of_a_replacement(tmp_path, monkeypatch):
    """Killed after any call of the system that renames, the old or the new folder is there."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").touch()

    class Killed(BaseException):
        pass

    def rename(self, target):
        raise Killed

    monkeypatch.setattr(Path, "rename", rename)
    with atomic_folder(tmp_path / "d") as temporary:
        (temporary / "new").touch()
    # No rename through a moment without a folder was needed.
    assert names(tmp_path / "d") == ["new"]
    assert names(tmp_path) == ["d"]


def test_a_kill_between_two_renames_is_mended_by_the_next_run(tmp_path):
    aside = tmp_path / ".d.writing-old-abcd1234"
    (aside / "d").mkdir(parents=True)
    (aside / "d" / "old").touch()
    with atomic_folder(tmp_path / "d") as temporary:
        assert names(tmp_path / "d") == ["old"]
        (temporary / "new").touch()
    assert names(tmp_path) == ["d"]


def test_a_place_below_a_file_is_refused_before_any_work(tmp_path):
    (tmp_path / "f").write_text("x")
    with pytest.raises(InputError, match=r"cannot be made, .*/f is a file; choose another place"):
        check_parent(tmp_path / "f" / "a" / "model")
    check_parent(tmp_path / "new" / "a" / "model")


def test_a_url_is_no_folder_of_this_machine():
    with pytest.raises(InputError, match=r"s3:/lake/model: expected a path on this machine"):
        check_parent(Path("s3://lake/model"))


def test_a_place_without_permission_is_refused_before_any_work(tmp_path, monkeypatch):
    # Asked of the system, because root may write anywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match=f"no permission to write in {tmp_path}"):
        check_parent(tmp_path / "model")
