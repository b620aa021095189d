"""The store of archives: on a folder and in memory, since fsspec's kinds of store differ in what they do atomically."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from controller.chromium.profile.archives import ArchiveError, ArchiveStore, DamagedArchiveError, Manifest
from controller.chromium.profile.history import Kind, Mark

NAME = "bcdfghjklmnpqrstbcdf"


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return ArchiveStore(str(tmp_path / "store") if request.param == "folder" else f"memory://{uuid4()}")


def archive(tmp_path, content=b"x" * 100):
    path = tmp_path / "packed.tar.gz"
    path.write_bytes(content)
    return path


def upload(store, tmp_path, epoch, kind=Kind.CLOSED, number=0, at=0.0):
    return store.upload(NAME, Mark(epoch, kind, number), archive(tmp_path, f"{epoch}.{number}".encode()), Manifest(at))


def test_what_was_uploaded_comes_back(store, tmp_path):
    made = upload(store, tmp_path, 3)

    assert store.marks(NAME) == [Mark(3, Kind.CLOSED)]
    assert store.read(NAME, Mark(3, Kind.CLOSED)) == made
    store.download(NAME, made, tmp_path / "back.tar.gz")
    assert (tmp_path / "back.tar.gz").read_bytes() == b"3.0"
    assert store.archives(NAME) == [(Mark(3, Kind.CLOSED), made)]


def test_no_mark_is_ever_overwritten(store, tmp_path):
    store.write(NAME, Mark(1, Kind.OPEN), Manifest(1.0, "a"))
    store.write(NAME, Mark(1, Kind.OPEN), Manifest(1.0, "a"))  # the same again: its first answer was lost

    with pytest.raises(FileExistsError):
        store.write(NAME, Mark(1, Kind.OPEN), Manifest(2.0, "b"))
    assert store.read(NAME, Mark(1, Kind.OPEN)).host == "a"


def test_a_torn_upload_is_no_archive(store, tmp_path, monkeypatch):
    monkeypatch.setattr(ArchiveStore, "write", lambda *_: (_ for _ in ()).throw(ArchiveError("gone")))
    with pytest.raises(ArchiveError, match="gone"):
        upload(store, tmp_path, 1)

    assert store.marks(NAME) == []
    assert store.archives(NAME) == []


def test_a_damaged_archive_is_told_from_a_sound_one(store, tmp_path):
    made = upload(store, tmp_path, 1)
    target = tmp_path / "back.tar.gz"
    for broken in (b"1.1", b"1.", b""):
        store._fs.pipe_file(f"{store._root}/{NAME}/{made.file}", broken)
        with pytest.raises(DamagedArchiveError):
            store.download(NAME, made, target)
        assert not target.exists()
    store._fs.rm_file(f"{store._root}/{NAME}/{made.file}")
    with pytest.raises(DamagedArchiveError, match="gone"):
        store.download(NAME, made, target)


def test_a_damaged_manifest_is_no_archive(store, tmp_path):
    upload(store, tmp_path, 1)
    store._fs.pipe_file(f"{store._root}/{NAME}/{Mark(1, Kind.CLOSED).name}", b'{"at": 1, "siz')

    assert store.archives(NAME) == []
    with pytest.raises(DamagedArchiveError):
        store.read(NAME, Mark(1, Kind.CLOSED))


def test_the_newest_are_kept_and_of_older_ones_one_a_day(store, tmp_path):
    day = 86400.0
    for epoch in range(1, 8):  # three a day
        store.write(NAME, Mark(epoch, Kind.OPEN), Manifest(epoch * day / 3, "a"))
        upload(store, tmp_path, epoch, at=epoch * day / 3)
    upload(store, tmp_path, 7, Kind.SAVED, 1, at=2.2 * day)
    store.prune(NAME)

    kept = [mark.epoch for mark, _ in store.archives(NAME)]
    assert kept == [7, 7, 6, 5, 2]
    assert {mark.epoch for mark in store.marks(NAME) if mark.kind is Kind.OPEN} == {7}
    files = [name for name in store._names(NAME) if ".tar.gz" in name]
    assert sorted(files) == sorted(manifest.file for _, manifest in store.archives(NAME))


def test_terms_only_increase_whoever_claims_them_at_once(store):
    with ThreadPoolExecutor(4) as pool:
        first = list(pool.map(lambda _: ArchiveStore(store._url).claim_term(), range(1)))
    if store._is_folder:  # in memory, fsspec has no atomic creation across threads to rely on
        with ThreadPoolExecutor(4) as pool:
            claimed = list(pool.map(lambda _: ArchiveStore(store._url).claim_term(), range(8)))
        assert len({*claimed}) == len(claimed), "a term is nobody else's"
        assert min(claimed) > 1
        assert store.claim_term() > max(claimed)
    assert first == [1]
    assert store.claim_term() > 1


def test_a_term_that_was_claimed_and_deleted_meanwhile_is_not_claimed_again(store, monkeypatch):
    late, create = ArchiveStore(store._url), ArchiveStore._create

    def create_late(this, path, content):
        if this is late and path.startswith("terms/") and not others:
            others.extend((store.claim_term(), store.claim_term()))
        create(this, path, content)

    others: list[int] = []
    monkeypatch.setattr(ArchiveStore, "_create", create_late)
    assert late.claim_term() > max(others)


def test_a_store_that_cannot_be_used_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    for url, words in (
        (str(tmp_path / "file" / "inside"), "Not a directory|archives"),
        ("nonsense://x", "nothing that fsspec knows"),
    ):
        with pytest.raises(ArchiveError, match=words) as error:
            ArchiveStore(url).check()
        assert "\n" not in str(error.value)


def test_a_store_in_order_is_left_as_it_was(store):
    store.check()

    assert store._names("terms") == []
