from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from explanation_service.retrieval.fusion import fuse
from explanation_service.stores.records import Candidate


def lane(scores: dict[str, float], where: str = "") -> list[Candidate]:
    return [
        Candidate(key, f"{where}-{key}", score)
        for key, score in sorted(scores.items(), key=lambda item: -item[1])
    ]


lanes = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-5, 50)).map(lane)


def ids(candidates: list[Candidate]) -> list[str]:
    return [one.template_id for one in candidates]


@given(lanes, lanes, st.integers(1, 10))
def test_each_template_once_best_first(
    dense: list[Candidate], lexical: list[Candidate], limit: int
) -> None:
    fused = fuse(dense, lexical, limit)
    assert len(fused) == min(limit, len({*ids(dense), *ids(lexical)}))
    assert len(set(ids(fused))) == len(fused)
    scores = [one.score for one in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@given(lanes)
def test_one_lane_alone_keeps_its_order(candidates: list[Candidate]) -> None:
    in_order = [one.score for one in candidates]
    if len(set(in_order)) == len(in_order):
        assert ids(fuse(candidates, [], 10)) == ids(candidates)


def test_a_template_that_both_lanes_like_wins() -> None:
    dense = lane({"a": 0.90, "b": 0.89, "c": 0.70})
    lexical = lane({"d": 9.0, "b": 8.9, "c": 1.0})
    assert ids(fuse(dense, lexical, 4))[0] == "b"


def test_a_lane_that_is_sure_outweighs_one_that_wavers() -> None:
    dense = lane({"a": 0.801, "b": 0.800, "c": 0.799, "d": 0.70})
    lexical = lane({"c": 30.0, "a": 3.0, "b": 2.9, "d": 2.8})
    assert ids(fuse(dense, lexical, 4))[0] == "c"


def test_the_weights_decide_a_tie() -> None:
    dense, lexical = lane({"a": 1.0, "b": 0.0}), lane({"b": 1.0, "a": 0.0})
    assert ids(fuse(dense, lexical, 2, (2.0, 1.0)))[0] == "a"
    assert ids(fuse(dense, lexical, 2, (1.0, 2.0)))[0] == "b"


def test_the_passage_is_that_of_the_lane_where_the_template_stands_out() -> None:
    dense = lane({"a": 0.9, "b": 0.8, "c": 0.7}, "dense")
    lexical = lane({"b": 30.0, "a": 1.0, "c": 0.5}, "lexical")
    shown = {one.template_id: one.point_id for one in fuse(dense, lexical, 3)}
    assert shown["a"] == "dense-a" and shown["b"] == "lexical-b"


def test_the_only_lexical_hit_counts_for_its_template() -> None:
    dense = lane({"a": 0.802, "b": 0.801, "c": 0.80, "d": 0.70})
    assert ids(fuse(dense, lane({"c": 7.0}), 3, depth=20))[0] == "c"


def test_the_weaker_of_two_lexical_hits_is_above_what_was_not_found() -> None:
    dense = lane({"a": 0.802, "b": 0.801, "c": 0.80, "d": 0.70})
    order = ids(fuse(dense, lane({"c": 9.0, "b": 8.0}), 4, depth=20))
    assert order.index("b") < order.index("a")
