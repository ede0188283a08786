"""The tree: what lies below what, and what the tags' labels say of the groups."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import trees
from timbretree.labels import Labels
from timbretree.taxonomy import BUILT_IN, Taxonomy, TaxonomyError

OPENMIC = [
    "accordion", "banjo", "bass", "cello", "clarinet", "cymbals", "drums", "flute", "guitar",
    "mallet_percussion", "mandolin", "organ", "piano", "saxophone", "synthesizer", "trombone",
    "trumpet", "ukulele", "violin", "voice",
]  # fmt: skip
"""The 20 tags in the order of OpenMIC's class-map.json."""


def leaves(tree: Taxonomy, name: str) -> set[str]:
    """The tags below a node, found from above."""
    if name in tree.tags:
        return {name}
    return set().union(*(leaves(tree, child) for child in tree.children[name]))


def truth(tree: Taxonomy, name: str, said: dict[str, bool | None], rule: str) -> bool | None:
    """What is known of a node: the rules again, child by child, in logic with three values."""
    if name in tree.tags:
        return said[name]
    known = [truth(tree, child, said, rule) for child in tree.children[name]]
    if True in known:
        return True
    absent = False in known if rule == "observed-any" else None not in known
    return False if absent else None


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Taxonomy, Labels]:
    """Any tree with any labels of some clips."""
    tree = draw(trees())
    cells = st.lists(st.booleans(), min_size=len(tree.tags) * 3, max_size=len(tree.tags) * 3)
    target, mask = (np.array(draw(cells)).reshape(3, -1) for _ in "tm")
    return tree, Labels(target, mask)


# --- the trees that ship


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_trees_hold_the_openmic_tags_in_their_order(name: str) -> None:
    tree = Taxonomy.load(name)
    assert tree.name == name
    assert list(tree.tags) == OPENMIC
    assert set().union(*(leaves(tree, root) for root in tree.roots())) == set(OPENMIC)


def test_our_order_is_that_of_the_class_map(shared: Path) -> None:
    numbers = json.loads((shared / "openmic" / "class-map.json").read_text("utf-8"))
    assert {tag: number for number, tag in enumerate(Taxonomy.load("tone7").tags)} == numbers


def test_the_families_of_tone7() -> None:
    tree = Taxonomy.load(BUILT_IN[0])
    assert tree.name == "tone7"
    assert {group: tree.below(group) for group in tree.groups} == {
        "woodwind": ["clarinet", "flute", "saxophone"],
        "brass": ["trombone", "trumpet"],
        "bowed_strings": ["cello", "violin"],
        "plucked_strings": ["banjo", "bass", "guitar", "mandolin", "ukulele"],
        "keyboard": ["accordion", "organ", "piano", "synthesizer"],
        "percussion": ["cymbals", "drums", "mallet_percussion"],
        "vocals": ["voice"],
    }
    assert tree.roots() == list(tree.groups)


def test_the_other_trees_differ_from_tone7_as_they_say() -> None:
    tone7 = Taxonomy.load("tone7")
    families = {name: Taxonomy.load(name) for name in BUILT_IN}
    assert [len(families[name].groups) for name in BUILT_IN] == [7, 9, 8, 6, 14]
    assert families["audioset9"].below("accordions") == ["accordion"]
    assert families["audioset9"].below("basses") == ["bass"]
    assert families["electronic8"].below("electronic") == ["synthesizer"]
    both = set(tone7.below("bowed_strings")) | set(tone7.below("plucked_strings"))
    assert set(families["strings6"].below("strings")) == both


def test_three_levels() -> None:
    tree = Taxonomy.load("hornbostel_sachs")
    assert tree.path("flute") == ["flutes", "aerophones"]
    assert set(tree.below("aerophones")) == {
        "flute", "clarinet", "saxophone", "trumpet", "trombone", "accordion", "organ",
    }  # fmt: skip
    assert len(tree.roots()) == 6
    row = tree.members[tree.tags.index("guitar")]
    assert {tree.groups[column] for column in np.flatnonzero(row)} == {"plucked", "chordophones"}


@given(trees())
def test_tables_of_the_tree(tree: Taxonomy) -> None:
    below = [leaves(tree, group) for group in tree.groups]
    for column, group in enumerate(tree.groups):
        assert {t for t, m in zip(tree.tags, tree.members[:, column], strict=True) if m} == below[
            column
        ]
        assert tree.below(group) == [tag for tag in tree.tags if tag in below[column]]
        for row in range(len(tree.groups)):
            inside = below[row] <= below[column] and (
                row == column or group in tree.path(tree.groups[row])
            )
            assert tree.ancestors[row, column] == inside
    for tag, column in zip(tree.tags, tree.parent_index, strict=True):
        assert tag in tree.children[tree.groups[column]]
    assert all(root in tree.groups and root not in tree.parents for root in tree.roots())


# --- lifting


@given(labelled(), st.sampled_from(["observed-any", "kleene"]))
def test_lift_says_what_the_rules_say(pair: tuple[Taxonomy, Labels], rule: str) -> None:
    tree, fine = pair
    coarse = tree.lift(fine, rule)
    assert coarse.target.shape == coarse.mask.shape == (3, len(tree.groups))
    for clip in range(3):
        said = {
            tag: bool(fine.target[clip, row]) if fine.mask[clip, row] else None
            for row, tag in enumerate(tree.tags)
        }
        for column, group in enumerate(tree.groups):
            found = coarse.target[clip, column] if coarse.mask[clip, column] else None
            assert found == truth(tree, group, said, rule)


@given(labelled())
def test_what_holds_of_both_rules(pair: tuple[Taxonomy, Labels]) -> None:
    tree, fine = pair
    loose, strict = tree.lift(fine), tree.lift(fine, "kleene")
    assert (loose.target <= loose.mask).all()  # present implies observed
    assert (strict.target <= strict.mask).all()
    assert (strict.mask <= loose.mask).all()
    np.testing.assert_array_equal(loose.target, strict.target)
    hidden = Labels(fine.target ^ ~fine.mask, fine.mask)  # other values where nobody listened
    np.testing.assert_array_equal(tree.lift(hidden), loose)
    np.testing.assert_array_equal(tree.lift(hidden, "kleene"), strict)


def test_lift_takes_any_leading_shape() -> None:
    tree = Taxonomy.load("tone7")
    none = np.zeros((2, 3, 20), bool)
    assert tree.lift(Labels(none, none)).mask.shape == (2, 3, 7)
    assert tree.lift(Labels(none[0, 0], none[0, 0])).mask.shape == (7,)


def test_real_labels_leave_almost_no_strict_absence(shared: Path) -> None:
    """Counted on all labels of OpenMIC's test split; under kleene ROC-AUC could not be had."""
    tree = Taxonomy.load("tone7")
    with (shared / "openmic" / "test-labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = np.array([[int(row[tag]) for tag in tree.tags] for row in rows])
    assert cells.shape == (5085, 20)
    fine = Labels(cells == 1, cells != 0)

    def absent(rule: str) -> dict[str, int]:
        coarse = tree.lift(fine, rule)
        return dict(zip(tree.groups, (~coarse.target & coarse.mask).sum(axis=0), strict=True))

    strict = absent("kleene")
    del strict["vocals"]  # a family of one: as often as the voice itself
    assert strict == {
        "keyboard": 0, "plucked_strings": 0, "percussion": 2,
        "woodwind": 4, "bowed_strings": 25, "brass": 234,
    }  # fmt: skip
    assert absent("observed-any")["woodwind"] == 899


def test_lift_refuses_other_rules_and_shapes() -> None:
    tree = Taxonomy.load("tone7")
    cells = np.zeros((2, 20), bool)
    with pytest.raises(ValueError, match="observed-any or kleene, got 'strict'"):
        tree.lift(Labels(cells, cells), "strict")
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 20\), got \(2, 19\)"):
        tree.lift(Labels(cells[:, 1:], cells[:, 1:]))
    with pytest.raises(ValueError, match=r"got \(2, 20\) and \(1, 20\)"):
        tree.lift(Labels(cells, cells[:1]))


# --- files


@pytest.mark.parametrize("ending", [".json", ".yaml", ".yml", ".JSON"])
def test_what_is_saved_is_loaded(tmp_path: Path, ending: str) -> None:
    tree = Taxonomy("küche", ("ü", "no", "1"), {"b": ("ü",), "a": ("b", "no", "1")}, "«für» uns")
    tree.save(tmp_path / f"tree{ending}")
    again = Taxonomy.load(tmp_path / f"tree{ending}")
    assert again == tree
    assert again.to_dict() == tree.to_dict()
    assert again.groups == tree.groups  # the columns stay in order, which == does not look at


@given(trees())
def test_plain_data_and_back(tree: Taxonomy) -> None:
    again = Taxonomy.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert (again, again.groups) == (tree, tree.groups)


def test_tags_may_be_left_out() -> None:
    tree = Taxonomy.from_dict({"groups": {"all": ["z", "some"], "some": ["b", "a"]}})
    assert (tree.tags, tree.groups, tree.name) == (("z", "b", "a"), ("all", "some"), "")


FAULTS = {
    "cycle": ({"a": ["b", "t"], "b": ["a"]}, "form a cycle: a < b < a"),
    "own parent": ({"a": ["a", "t"]}, "form a cycle: a < a"),
    "double parent": ({"a": ["t"], "b": ["t"]}, "'t' is in 'a' and in 'b'"),
    "twice in one": ({"a": ["t", "t"]}, "'t' is in 'a' and in 'a'"),
    "group in two": ({"a": ["c"], "b": ["c"], "c": ["t"]}, "'c' is in 'a' and in 'b'"),
    "empty group": ({"a": ["t"], "b": []}, "group 'b' has no tag below it"),
    "empty below": ({"a": ["t"], "b": ["c"], "c": []}, "group 'b' has no tag below it"),
    "no list": ({"a": "t"}, "a must be a list of names, got 't'"),
    "no names": ({"a": ["t", 1]}, r"a must be a list of names, got \['t', 1\]"),
    "no name": ({"a": ["t", ""]}, "a tag has an empty name"),
    "nothing": ({}, "needs at least one"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_tree(fault: str) -> None:
    groups, words = FAULTS[fault]
    with pytest.raises(TaxonomyError, match=words):
        Taxonomy.from_dict({"groups": groups})


@pytest.mark.parametrize(
    ("tags", "groups", "words"),
    [
        (["t", "u"], {"a": ["t"]}, "tag 'u' is in no group"),
        (["t", "t"], {"a": ["t"]}, "tag 't' is listed twice"),
        (["t", "a"], {"a": ["t"]}, "'a' is both a tag and a group"),
        (["t"], {"a": ["t", "v"]}, "group 'a' holds 'v', which is no tag and no group"),
        ("t", {"a": ["t"]}, "tags must be a list of names"),
        ([], {"a": []}, "needs at least one tag"),
    ],
)
def test_tags_that_do_not_fit(tags: object, groups: object, words: str) -> None:
    with pytest.raises(TaxonomyError, match=words):
        Taxonomy.from_dict({"tags": tags, "groups": groups})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], 'a table with "groups".*got list$'),
        ({"name": "n"}, "got dict without groups"),
        ({"groups": ["a"]}, "without groups"),
        ({"groups": {"a": ["t"]}, "tag": ["t"]}, "unknown entry 'tag'"),
    ],
)
def test_data_of_another_form(data: object, words: str) -> None:
    with pytest.raises(TaxonomyError, match=words):
        Taxonomy.from_dict(data)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("a.json", '{"groups": {"a": ["t"], "a": ["u"]}}', "'a' is listed twice"),
        ("a.json", '{"groups": {"a": ["t"]}, "groups": {"b": ["u"]}}', "'groups' is listed twice"),
        ("a.yaml", "groups:\n  a: [t]\n  a: [u]\n", "'a' is listed twice"),
        ("a.yml", "groups: {a: [t]}\ngroups: {b: [t]}\n", "'groups' is listed twice"),
        ("a.yaml", "groups:\n  1: [t]\n  '1': [u]\n", "1 is no name; put it into quotes"),
        ("a.yaml", "groups:\n  ? [a, b]\n  : [t]\n", "is no name"),
        ("a.yaml", "groups: {a: [yes]}\n", "a must be a list of names, got .True"),
        ("a.yaml", "groups: [\n", "not YAML"),
        ("a.yaml", "groups: !!python/object:os.system {}\n", "not YAML"),
        ("a.json", "{", "Expecting"),
        ("a.json", "", "Expecting"),
        ("a.yaml", "", "got NoneType"),
        ("a.json", '{"groups": {"a": ["a", "t"]}}', "cycle"),
    ],
)
def test_bad_files_are_named_with_their_fault(
    tmp_path: Path, file: str, text: str, words: str
) -> None:
    (tmp_path / file).write_text(text, "utf-8")
    with pytest.raises(TaxonomyError, match=words) as caught:
        Taxonomy.load(tmp_path / file)
    assert str(tmp_path / file) in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "latin.yaml").write_bytes("groups: {ü: [t]}".encode("latin-1"))
    with pytest.raises(TaxonomyError, match=r"nowhere\.json: there is no such file"):
        Taxonomy.load(tmp_path / "nowhere.json")
    with pytest.raises(TaxonomyError, match=r"folder\.json: "):
        Taxonomy.load(tmp_path / "folder.json")
    with pytest.raises(TaxonomyError, match=r"latin\.yaml: .*utf-8"):
        Taxonomy.load(tmp_path / "latin.yaml")
    with pytest.raises(TaxonomyError, match=r"'tone8' \(there are tone7, .* \.json, \.yaml or"):
        Taxonomy.load("tone8")
    with pytest.raises(TaxonomyError, match=r"saved as \.json, \.yaml or \.yml"):
        Taxonomy.load("tone7").save(tmp_path / "tree.txt")
    assert not (tmp_path / "tree.txt").exists()


def test_trees_with_their_groups_in_another_order_are_not_equal() -> None:
    one = Taxonomy.from_dict({"tags": ["x", "y"], "groups": {"a": ["x"], "b": ["y"]}})
    other = Taxonomy.from_dict({"tags": ["x", "y"], "groups": {"b": ["y"], "a": ["x"]}})
    assert one != other
    assert one == Taxonomy.from_dict(one.to_dict())
    assert one != "a tree"


@given(trees())
def test_edges_are_the_parent_of_each_node_that_has_one(tree: Taxonomy) -> None:
    nodes = (*tree.tags, *tree.groups)
    assert {(nodes[child], nodes[parent]) for child, parent in tree.edges} == set(
        tree.parents.items()
    )
    assert (tree.edges[:, 1] >= len(tree.tags)).all()
