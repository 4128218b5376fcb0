import fcntl
import os
import signal
import sqlite3
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from stemma.errors import WorkspaceError
from stemma.judging.answer_cache import FILE, LOCK, key_of, open_cache
from stemma.judging.intake import Intake
from stemma.judging.reply import Reply
from stemma.stage.live_lines import LiveLines


def test_what_is_kept_is_found_again_and_never_changes(tmp_path: Path) -> None:
    with open_cache(tmp_path / "deep" / "folder") as cache:
        cache.keep({"a": {"text": "köln 猫"}, "b": {"text": "2"}})
        cache.keep({"a": {"text": "another"}})
    with open_cache(tmp_path / "deep" / "folder") as cache:
        assert cache.find(["a", "b", "c", "a"]) == {"a": {"text": "köln 猫"}, "b": {"text": "2"}}


def test_more_keys_than_sqlite_takes_at_once(tmp_path: Path) -> None:
    keys = [str(number) for number in range(2345)]
    with open_cache(tmp_path) as cache:
        cache.keep({key: {"text": key} for key in keys})
        assert set(cache.find(keys)) == set(keys)


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        db = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        db.execute("pragma journal_mode = wal")
        db.execute("create table answers (key text primary key, reply text not null)")
        db.execute("begin immediate")
        db.execute("insert into answers values ('a', '{}')")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with open_cache(tmp_path) as cache:
        assert cache.find(["a"]) == {}
        cache.keep({"a": {"text": "1"}, "b": {"text": "2"}})
        assert len(cache.find(["a", "b"])) == 2


def test_two_processes_share_it(tmp_path: Path) -> None:
    children = []
    for name in "xyz":
        child = os.fork()
        if child == 0:
            with open_cache(tmp_path) as cache:
                for number in range(50):
                    cache.keep({f"{name}{number}": {"text": name}})
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    with open_cache(tmp_path) as cache:
        assert len(cache.find(f"{name}{number}" for name in "xyz" for number in range(50))) == 150


def test_the_answer_that_was_kept_first_is_the_one_that_counts(tmp_path: Path) -> None:
    """Two at once may ask the same; the artifact says what every later run will find."""
    with open_cache(tmp_path) as cache:
        intake = Intake("toy", cache, LiveLines("test"), ["a"], 1.0)
        with open_cache(tmp_path) as other:
            other.keep({"a": asdict(Reply(0.25, {"text": "2"}, 3))})
        intake.take({"a": Reply(0.75, {"text": "1"}, 3)})
    assert intake.replies == {"a": Reply(0.25, {"text": "2"}, 3)}


def test_who_opens_it_waits_while_another_makes_it(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        db = sqlite3.connect(tmp_path / FILE, isolation_level=None, check_same_thread=False)
        db.execute("create table other (key)")
        db.execute("begin immediate")

        def finish() -> None:
            db.execute("commit")
            fcntl.flock(held, fcntl.LOCK_UN)

        threading.Timer(0.2, finish).start()
        with open_cache(tmp_path) as cache:
            assert cache.find(["a"]) == {}
        db.close()


def test_a_file_that_cannot_be_used_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    words = r"answers\.db cannot be used .*; see that the disk has room"
    with pytest.raises(WorkspaceError, match=words), open_cache(tmp_path):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match="cannot be used"), open_cache(tmp_path / "file"):
        pass


def test_damage_that_shows_later_is_told_too(tmp_path: Path) -> None:
    with open_cache(tmp_path) as cache:
        cache.keep({str(number): {"text": "x" * 300} for number in range(200)})
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(WorkspaceError, match="is damaged"), open_cache(tmp_path) as cache:
        cache.find(["7"])


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    words = r"answers\.db is damaged .*; delete it, and the judges are asked anew"
    with pytest.raises(WorkspaceError, match=words), open_cache(tmp_path):
        pass


def test_a_key_depends_on_everything_said() -> None:
    one = {"judge": {"model": "a", "temperature": 0.0}, "prompt": [["user", "x"]], "seed": 0}
    assert key_of(one) == key_of(dict(reversed(list(one.items()))))
    others = [
        {**one, "seed": 1},
        {**one, "prompt": [["system", "x"]]},
        {**one, "judge": {"model": "a", "temperature": 0.1}},
    ]
    assert len({key_of(one), *map(key_of, others)}) == 4
