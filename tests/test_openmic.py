"""OpenMIC-2018: what its files say, whether they agree, and where exactly one is wrong."""

import csv
import hashlib
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import OPENMIC
from timbretree.annotations import AnnotationError
from timbretree.openmic import absent_clips, changed_clips, is_official, is_openmic, read_openmic
from timbretree.taxonomy import Taxonomy

LABELS = "openmic-2018-aggregated-labels.csv"
METADATA = "openmic-2018-metadata.csv"
ARRAYS = "openmic-2018.npz"
TRAIN, TEST = "partitions/split01_train.csv", "partitions/split01_test.csv"


@pytest.fixture(scope="module")
def mini(mini_openmic: Callable[..., Path]) -> Path:
    """Nine clips, for looking at only."""
    return mini_openmic(train=6, test=3, seconds=0.1)


@pytest.fixture
def folder(mini: Path, tmp_path: Path) -> Path:
    """Nine clips, to be spoilt."""
    return Path(shutil.copytree(mini, tmp_path / "openmic-2018"))


def said(folder: Path) -> dict[tuple[str, str], float]:
    """What the rows say, read another way."""
    rows = (folder / LABELS).read_text("utf-8").splitlines()[1:]
    return {(key, tag): float(number) for key, tag, number, _ in (row.split(",") for row in rows)}


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def change_arrays(path: Path, **new: np.ndarray | None) -> None:
    """Write other arrays in place of some, or none for None."""
    with np.load(path, allow_pickle=True) as old:
        arrays = {**old, **new}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def test_the_files_of_the_official_folder(mini: Path) -> None:
    found = read_openmic(mini)
    assert list(found.tags) == OPENMIC
    train, test = ((mini / part).read_text("utf-8").split() for part in (TRAIN, TEST))
    keys = [file.stem for file in found.files]
    assert keys == sorted(train + test)
    assert all(file == mini / "audio" / file.name[:3] / file.name for file in found.files)
    assert all(file.is_file() for file in found.files)
    assert [key for key, split in zip(keys, found.splits, strict=True) if split == "train"] == train
    assert [key for key, split in zip(keys, found.splits, strict=True) if split == "test"] == test
    with (mini / METADATA).open(newline="", encoding="utf-8") as file:
        artists = {row["sample_key"]: row["artist_id"] for row in csv.DictReader(file)}
    assert found.artists == tuple(artists[key] for key in keys)


def test_a_data_set_of_the_same_form_is_not_the_official_one(mini: Path) -> None:
    assert not is_official(read_openmic(mini))


def test_rows_become_labels(mini: Path) -> None:
    found, rows = read_openmic(mini), said(mini)
    assert 0.5 in rows.values()
    for clip, file in enumerate(found.files):
        for column, tag in enumerate(OPENMIC):
            relevance = rows.get((file.stem, tag), 0.5)
            assert found.labels.mask[clip, column] == (relevance != 0.5)
            assert (found.labels.target & found.labels.mask)[clip, column] == (relevance > 0.5)


def test_arrays_and_rows_agree(folder: Path) -> None:
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        target, mask = arrays["Y_true"] > 0.5, arrays["Y_mask"]
    both = read_openmic(folder)
    np.testing.assert_array_equal(both.labels.mask, mask)
    np.testing.assert_array_equal(both.labels.target & mask, target & mask)
    (folder / ARRAYS).unlink()
    rows_alone = read_openmic(folder)
    np.testing.assert_array_equal(rows_alone.labels, both.labels)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_and_arrays_does_not_matter(folder: Path, seed: int) -> None:
    before, random = read_openmic(folder), np.random.default_rng(seed)
    for name, head in ((LABELS, 1), (TRAIN, 0), (TEST, 0)):
        lines = (folder / name).read_text("utf-8").splitlines()
        lines[head:] = random.permutation(lines[head:]).tolist()
        (folder / name).write_text("\n".join(lines), "utf-8")
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        order = random.permutation(len(arrays["sample_key"]))
        mixed = {name: array[order] for name, array in arrays.items()}
    change_arrays(folder / ARRAYS, **mixed)
    after = read_openmic(folder)
    np.testing.assert_array_equal(after.labels, before.labels)
    assert (after.files, after.splits, after.artists) == (
        before.files,
        before.splits,
        before.artists,
    )


def test_the_columns_are_in_the_order_of_the_class_map(folder: Path) -> None:
    before = read_openmic(folder)
    (folder / ARRAYS).unlink()  # its columns are in the order of the class map too
    names = OPENMIC[::-1]
    # which names come first in the file says nothing
    places = {name: names.index(name) for name in OPENMIC}
    (folder / "class-map.json").write_text(json.dumps(places), "utf-8")
    after = read_openmic(folder)
    assert list(after.tags) == names
    np.testing.assert_array_equal(after.labels.mask[:, ::-1], before.labels.mask)


def test_what_can_be_missing(folder: Path) -> None:
    before = read_openmic(folder)
    (folder / METADATA).unlink()
    (folder / ARRAYS).unlink()
    shutil.rmtree(folder / "audio")
    after = read_openmic(folder)
    assert after.artists is None
    assert after.files == before.files


@pytest.mark.parametrize("name", [LABELS, TRAIN, TEST, "class-map.json"])
def test_what_must_not_be_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(AnnotationError, match=f"{name}: .*No such file"):
        read_openmic(folder)


def test_a_folder_is_known_by_what_is_left_of_it(folder: Path, tmp_path: Path) -> None:
    assert is_openmic(folder)
    (folder / LABELS).unlink()
    assert is_openmic(folder)
    shutil.rmtree(folder / "partitions")
    assert not is_openmic(folder)
    assert not is_openmic(tmp_path / "nowhere")


FIRST = "sample_key,instrument,relevance,num_responses\n"


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (LABELS, FIRST, f"{FIRST}KEY,pinao,1,3\n", "row 2, column 'instrument': 'pinao' is not in"),
        (LABELS, FIRST, f"{FIRST}KEY,pinao,1,3\n", r"did you mean 'piano'\?"),
        (LABELS, FIRST, f"{FIRST}KEY,,1,3\n", "row 2, column 'instrument' is empty"),
        (LABELS, FIRST, f"{FIRST}999999_0,piano,1,3\n", "row 2, column 'sample_key': 999999_0 is"),
        (LABELS, FIRST, f"{FIRST}../../x,piano,1,3\n", "row 2, column 'sample_key': expected a k"),
        (LABELS, FIRST, f"{FIRST}KEY,piano,1.01,3\n", "row 2, column 'relevance': .* '1.01'"),
        (LABELS, FIRST, f"{FIRST}KEY,piano,-1,3\n", "row 2, column 'relevance': .* '-1'"),
        (LABELS, FIRST, f"{FIRST}KEY,piano,nan,3\n", "row 2, column 'relevance': .* 'nan'"),
        (LABELS, FIRST, f"{FIRST}KEY,piano,yes,3\n", "row 2, column 'relevance': .* 'yes'"),
        (LABELS, FIRST, f"{FIRST}KEY,piano\n", "row 2, column 'relevance' is empty"),
        (LABELS, "relevance", "affinity", "row 1 names no column 'relevance'"),
        (LABELS, "num_responses", "instrument", "row 1 has the column 'instrument' twice"),
        (TEST, "000", "KEY\n000", "row 1, column 'key': KEY is in row 1 of .*split01_train.csv"),
        (TRAIN, "KEY\n", "KEY\nKEY\n", "row 2, column 'key': KEY is in row 1 of"),
        (TRAIN, "KEY\n", "46_0\n", "row 1, column 'key': expected a key .* got '46_0'"),
        (TRAIN, "KEY\n", "KEY,1\n", "row 1 has more cells"),
        (METADATA, "artist_id", "artist", "row 1 names no column 'artist_id'"),
        (METADATA, "KEY", "999999_0", "no row for KEY"),
        (METADATA, "\nTRACK,0,", "\nTRACK,,", "row 3, column 'artist_id' is empty"),
        (METADATA, "\nTRACK", "\n1,7,A,T,KEY\nTRACK", "row 4, column 'artist_id': 0 for KEY, but"),
        ("class-map.json", '"banjo": 1', '"banjo": 2', "every instrument with its column"),
        ("class-map.json", '"banjo": 1', '"banjo": "1"', "every instrument with its column"),
        ("class-map.json", '"banjo": 1', '"banjo": true', "every instrument with its column"),
        ("class-map.json", '"banjo": 1', '"banjo": [1]', "every instrument with its column"),
        ("class-map.json", "{", "[{", "class-map.json: "),
    ],
)
def test_faults_are_named_with_file_row_and_column(
    folder: Path, name: str, old: str, new: str, words: str
) -> None:
    key = (folder / TRAIN).read_text("utf-8").split()[0]
    old, new, words = (
        text.replace("KEY", key).replace("TRACK", str(int(key[:6]))) for text in (old, new, words)
    )
    change(folder / name, old, new)
    with pytest.raises(AnnotationError, match=words) as caught:
        read_openmic(folder)
    assert str(folder / name) in str(caught.value)


def test_a_list_is_no_class_map(folder: Path) -> None:
    (folder / "class-map.json").write_text(json.dumps(OPENMIC), "utf-8")
    with pytest.raises(AnnotationError, match="every instrument with its column"):
        read_openmic(folder)


def test_of_two_rows_the_later_counts_if_the_arrays_confirm_it(folder: Path) -> None:
    before = read_openmic(folder)
    (key, tag), relevance = next(iter(said(folder).items()))
    other = f"{key},{tag},{1 - relevance},3\n"
    change(folder / LABELS, FIRST, FIRST + other)
    np.testing.assert_array_equal(read_openmic(folder).labels, before.labels)
    with (folder / LABELS).open("a", encoding="utf-8") as file:
        file.write(other)
    with pytest.raises(AnnotationError, match=f"{ARRAYS}: {key} and {tag} are .* by Y_true"):
        read_openmic(folder)


def test_two_rows_that_differ_with_nothing_to_confirm_either(folder: Path) -> None:
    (folder / ARRAYS).unlink()
    (key, tag), relevance = next(iter(said(folder).items()))
    change(folder / LABELS, FIRST, f"{FIRST}{key},{tag},{1 - relevance},3\n")
    words = f"row 3, column 'relevance': {relevance} for {key} and {tag}, but row 2 says"
    with pytest.raises(AnnotationError, match=words):
        read_openmic(folder)


def test_arrays_that_say_something_else_than_the_rows(folder: Path) -> None:
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        keys, relevance, asked = (arrays[name] for name in ("sample_key", "Y_true", "Y_mask"))
    clip, tag = np.argwhere(asked)[-1]
    name = f"{keys[clip]} and {OPENMIC[tag]}"
    words = ["absent", "present"] if relevance[clip, tag] > 0.5 else ["present", "absent"]
    flipped, fewer, more = relevance.copy(), asked.copy(), asked.copy()
    flipped[clip, tag] = 1 - flipped[clip, tag]
    change_arrays(folder / ARRAYS, Y_true=flipped)
    with pytest.raises(AnnotationError, match=f"{name} are {words[0]} .*, but {words[1]} by"):
        read_openmic(folder)
    fewer[clip, tag] = False
    change_arrays(folder / ARRAYS, Y_true=relevance, Y_mask=fewer)
    with pytest.raises(AnnotationError, match=f"{name} are not labelled .*, but {words[1]} by"):
        read_openmic(folder)
    clip, tag = np.argwhere(~asked)[-1]
    more[clip, tag], relevance[clip, tag] = True, 0.9
    change_arrays(folder / ARRAYS, Y_true=relevance, Y_mask=more)
    with pytest.raises(
        AnnotationError, match=f"{keys[clip]} and {OPENMIC[tag]} are present .*, but not labelled"
    ):
        read_openmic(folder)


def test_what_is_undecided_may_be_in_the_mask_or_not(folder: Path) -> None:
    """Our sources differ on it, and it comes to the same."""
    before = read_openmic(folder)
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        asked = arrays["Y_mask"] | (arrays["Y_true"] == 0.5)
    change_arrays(folder / ARRAYS, Y_mask=asked)
    np.testing.assert_array_equal(read_openmic(folder).labels, before.labels)


def test_arrays_that_fit_nothing(folder: Path) -> None:
    whole = (folder / ARRAYS).read_bytes()
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        keys, relevance = arrays["sample_key"], arrays["Y_true"]
    other, double = keys.copy(), keys.copy()
    other[0], double[1] = "999999_0", keys[0][:3] + keys[0][3:]  # another string, so not memoised
    spoilt: list[tuple[dict[str, np.ndarray | None], str]] = [
        ({"sample_key": other}, f"sample_key {keys[0]} is not in it"),
        ({"sample_key": np.append(keys, "999999_0")}, "sample_key 999999_0 is in no partition"),
        ({"sample_key": np.append(keys, keys[0][:3] + keys[0][3:])}, r"\(9, 20\), got 10 keys"),
        ({"sample_key": double}, f"sample_key {keys[1]} is not in it"),
        ({"sample_key": np.arange(9)}, r"shape \(9,\), but there are 0 strings"),
        ({"sample_key": keys[:, None]}, r"shape \(9, 1\), but there are 9 strings"),
        ({"sample_key": None}, "sample_key"),
        ({"Y_true": None}, "Y_true"),
        ({"Y_true": relevance[:, :-1]}, r"shapes \(9, 19\), \(9, 20\)"),
        ({"Y_true": relevance.astype(object)}, "allow_pickle=False"),
    ]
    for new, words in spoilt:
        (folder / ARRAYS).write_bytes(whole)
        change_arrays(folder / ARRAYS, **new)
        with pytest.raises(AnnotationError, match=words) as caught:
            read_openmic(folder)
        assert str(folder / ARRAYS) in str(caught.value)


def test_damaged_arrays(folder: Path) -> None:
    whole = (folder / ARRAYS).read_bytes()
    for damaged in (b"", b"no zip file", whole[: len(whole) // 2], pickle.dumps([1])):
        (folder / ARRAYS).write_bytes(damaged)
        with pytest.raises(AnnotationError, match=r"npz: this is no \.npz file"):
            read_openmic(folder)
    for place in (whole.index(b"000046_0"), whole.index(b"Y_mask.npy") + 300):
        damaged = bytearray(whole)
        damaged[place] ^= 255
        (folder / ARRAYS).write_bytes(damaged)
        with pytest.raises(AnnotationError, match=r"openmic-2018\.npz: "):
            read_openmic(folder)


def test_the_features_are_not_read(folder: Path) -> None:
    before, damaged = read_openmic(folder), bytearray((folder / ARRAYS).read_bytes())
    with zipfile.ZipFile(folder / ARRAYS) as archive:
        damaged[archive.getinfo("X.npy").header_offset + 1000] ^= 255
    (folder / ARRAYS).write_bytes(damaged)
    with zipfile.ZipFile(folder / ARRAYS) as archive:
        assert archive.testzip() == "X.npy"
    np.testing.assert_array_equal(read_openmic(folder).labels, before.labels)


def write_keys(path: Path, shape: tuple[int, ...], pickled: bytes) -> None:
    """Put a pickle in the place of the keys, below the header that numpy gives it."""
    change_arrays(path, sample_key=None)
    member = io.BytesIO()
    description = {"descr": "|O", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, description)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("sample_key.npy", member.getvalue() + pickled)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_keys_as_any_version_of_numpy_pickled_them(folder: Path, protocol: int) -> None:
    before = read_openmic(folder)
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        keys = arrays["sample_key"]
    write_keys(folder / ARRAYS, keys.shape, pickle.dumps(keys, protocol=protocol))
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        np.testing.assert_array_equal(arrays["sample_key"], keys)
    np.testing.assert_array_equal(read_openmic(folder).labels, before.labels)


def test_keys_that_are_not_pickled(folder: Path) -> None:
    before = read_openmic(folder)
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        keys = arrays["sample_key"].astype(str)
    change_arrays(folder / ARRAYS, sample_key=keys)
    np.testing.assert_array_equal(read_openmic(folder).labels, before.labels)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.path,)


def test_no_pickle_is_ever_run(folder: Path, tmp_path: Path) -> None:
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        keys = arrays["sample_key"]
    bait = pickle.dumps([Trap(tmp_path / "sprung"), keys])
    write_keys(folder / ARRAYS, keys.shape, bait)
    read_openmic(folder)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(bait)
    assert (tmp_path / "sprung").exists()


def official(folder: Path, shared: Path) -> Path:
    """The official folder, as far as its labels are known to us."""
    source = shared / "openmic"
    (folder / "partitions").mkdir()
    for name in ("split01_train.csv", "split01_test.csv"):
        shutil.copy(source / name, folder / "partitions" / name)
    shutil.copy(source / "class-map.json", folder)
    keys = sorted(" ".join((folder / part).read_text("utf-8") for part in (TRAIN, TEST)).split())
    number = {key: row for row, key in enumerate(keys)}
    relevance = np.full((len(keys), len(OPENMIC)), 0.5)
    rows = ["sample_key,instrument,relevance,num_responses"]
    for name in ("test-labels.csv", "valid-labels.csv"):
        with (source / name).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for column, tag in enumerate(OPENMIC):
                    if row[tag] != "0":
                        trust = {"1": 0.83105, "-1": 0.17104999999999998}[row[tag]]
                        relevance[number[row["sample_key"]], column] = trust
                        rows.append(f"{row['sample_key']},{tag},{trust},3")
    (folder / LABELS).write_text("\n".join(rows), "utf-8")
    np.savez(
        folder / ARRAYS,
        Y_true=relevance,
        Y_mask=relevance != 0.5,
        sample_key=np.array(keys, dtype=object),
    )
    return folder


def test_the_real_labels_come_to_the_known_counts(shared: Path, tmp_path: Path) -> None:
    found = read_openmic(official(tmp_path, shared))
    assert is_official(found)
    assert list(found.tags) == OPENMIC
    train, test = found.part("train"), found.part("test")
    assert (len(found), len(train), len(test)) == (20_000, 14_915, 5_085)
    assert train.labels.mask.sum() == 4_551
    present, absent = test.labels.target & test.labels.mask, ~test.labels.target & test.labels.mask
    assert (test.labels.mask.sum(), present.sum()) == (10_522, 4_517)
    with (shared / "openmic" / "label-counts.csv").open(newline="", encoding="utf-8") as file:
        counts = {row["instrument"]: row for row in csv.DictReader(file)}
    assert present.sum(axis=0).tolist() == [int(counts[tag]["test_pos"]) for tag in OPENMIC]
    assert absent.sum(axis=0).tolist() == [int(counts[tag]["test_neg"]) for tag in OPENMIC]
    clips = np.bincount(test.labels.mask.sum(axis=1))
    assert (clips[1:5].tolist(), clips[5:].sum()) == ([2_125, 1_420, 769, 631], 140)


def test_the_real_labels_of_families(shared: Path, tmp_path: Path) -> None:
    """The figures of the paper's notes that decide how a family's label is made."""
    labels, tree = (
        read_openmic(official(tmp_path, shared)).part("test").labels,
        Taxonomy.load("tone7"),
    )
    loose, strict = (tree.lift(labels, rule) for rule in ("observed-any", "kleene"))
    np.testing.assert_array_equal(loose.target & loose.mask, strict.target & strict.mask)
    verified = {"flute": 4, "trumpet": 234, "cello": 25, "guitar": 0, "piano": 0, "drums": 2}
    for tag, count in verified.items():
        group = tree.groups.index(tree.parents[tag])
        assert (~strict.target & strict.mask)[:, group].sum() == count, tag
        below = labels.target[:, tree.members[:, group]], labels.mask[:, tree.members[:, group]]
        present = sum(bool((plays & told).any()) for plays, told in zip(*below, strict=True))
        asked = sum(bool(told.any()) for told in below[1])
        assert (loose.target & loose.mask)[:, group].sum() == present, tag
        assert (~loose.target & loose.mask)[:, group].sum() == asked - present, tag
    woodwind = tree.groups.index(tree.parents["flute"])
    assert (~loose.target & loose.mask)[:, woodwind].sum() == 899


def checksums(folder: Path) -> Path:
    path = folder / "md5.csv"
    rows = [
        f"{file.stem},{hashlib.md5(file.read_bytes()).hexdigest()}"
        for file in sorted(folder.rglob("*.ogg"))
    ]
    path.write_text("\n".join([",md5", *rows]), "utf-8")
    return path


def test_clips_that_are_not_what_they_were(folder: Path) -> None:
    path = checksums(folder)
    assert changed_clips(folder, path) == []
    files = read_openmic(folder).files
    sound = bytearray(files[4].read_bytes())
    sound[-1] ^= 1
    files[4].write_bytes(sound)
    files[2].unlink()
    assert changed_clips(folder, path) == [files[2].stem, files[4].stem]
    path.write_text(path.read_text("utf-8").upper().replace("MD5", "md5"), "utf-8")
    assert changed_clips(folder, path) == [files[2].stem, files[4].stem]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("key,md5\n000046_0,x\n", "names no column ''"),
        (",md5\n../000046_0,x\n", "row 2, column '': expected a key"),
        (",md5\n000046_0,x\n", "row 2, column 'md5': expected 32 hexadecimal digits, got 'x'"),
        (",md5\n000046_0\n", "row 2, column 'md5' is empty"),
    ],
)
def test_checksums_that_are_none(mini: Path, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "md5.csv").write_text(text, "utf-8")
    with pytest.raises(AnnotationError, match=words):
        changed_clips(mini, tmp_path / "md5.csv")


def test_the_real_checksums(shared: Path) -> None:
    """One of the 20,000 clips is here."""
    changed = changed_clips(shared / "openmic", shared / "openmic" / "checksums-audio-md5.csv")
    assert len(changed) == 19_999
    assert "000046_3840" not in changed


def test_real_excerpts_of_the_files(shared: Path, folder: Path) -> None:
    """Rows as the authors wrote them; what an excerpt lacks is filled in."""
    real = shared / "openmic" / "fixtures"
    (folder / ARRAYS).unlink()
    shutil.copytree(real / "partitions", folder / "partitions", dirs_exist_ok=True)
    shutil.copy(real / LABELS, folder)
    keys = " ".join((folder / part).read_text("utf-8") for part in (TRAIN, TEST)).split()
    metadata = (real / METADATA).read_text("utf-8")
    with (real / METADATA).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lacking = sorted(set(keys) - {row["sample_key"] for row in rows})
    with (folder / METADATA).open("w", newline="", encoding="utf-8") as file:
        file.write(metadata.rstrip("\n") + "\n")
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writerows({"sample_key": key, "artist_id": "x"} for key in lacking)
    found = read_openmic(folder)
    clip = [file.stem for file in found.files].index("000046_3840")
    assert found.artists is not None
    assert found.artists[clip] == "4"
    assert found.labels.mask.sum() == 3
    assert not (found.labels.target & found.labels.mask).any()
    tags = [OPENMIC[column] for column in np.flatnonzero(found.labels.mask[clip])]
    assert tags == ["clarinet", "flute", "trumpet"]


def test_clips_without_audio_are_named(folder: Path) -> None:
    assert absent_clips(folder) == []
    gone = read_openmic(folder).files[3]
    gone.unlink()
    assert absent_clips(folder) == [gone.stem]
