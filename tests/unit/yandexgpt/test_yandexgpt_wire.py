"""Bodies and lines of both protocols, right ones and wrong ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_service.explanations.records import Usage
from explanation_service.explanations.yandexgpt.failures import CallFailed
from explanation_service.explanations.yandexgpt.native import NativeWire
from explanation_service.explanations.yandexgpt.openai import OpenAiWire
from explanation_service.explanations.yandexgpt.wire import (
    Parameters,
    failure_of_body,
    parse_object,
)

PARAMETERS = Parameters("f", "lite", "gpt://f/lite/latest", 0.2, 700)
NATIVE, OPENAI = NativeWire(PARAMETERS), OpenAiWire(PARAMETERS)
WIRES = pytest.mark.parametrize("wire", [NATIVE, OPENAI])


def result(text="Да.", status="FINAL", **more):
    alternative = {
        "message": {"role": "assistant", "text": text},
        "status": f"ALTERNATIVE_STATUS_{status}",
    }
    usage = {"inputTextTokens": "15", "completionTokens": "10", "totalTokens": "25"}
    return {"alternatives": [alternative], "usage": usage, "modelVersion": "v1", **more}


@pytest.mark.parametrize("document", [{"result": result()}, result()])
def test_with_the_wrapper_and_without(document):
    completion = NATIVE.completion(document)
    assert (completion.text, completion.version) == ("Да.", "v1")
    assert completion.usage == Usage(15, 10)


@pytest.mark.parametrize("usage", [None, {}, "x", {"inputTextTokens": "many"}, [1]])
def test_an_answer_is_not_lost_for_its_count_of_tokens(usage):
    assert NATIVE.completion(result(usage=usage)).usage == Usage(0, 0)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"result": None},
        {"result": []},
        {"result": {"alternatives": []}},
        {"result": {"alternatives": ["x"]}},
        {"result": {"alternatives": [{"status": "ALTERNATIVE_STATUS_FINAL"}]}},
        {"result": {"alternatives": [{"message": {"text": "a"}}]}},
        {"result": result(text=None)},
        {"result": result(text="")},
        {"result": result(text=" \n")},
        {"result": result(status="TOOL_CALLS")},
        {"result": result(status="PARTIAL")},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]},
    ],
)
@WIRES
def test_answers_that_are_none(wire, document):
    with pytest.raises(CallFailed) as caught:
        wire.completion(document)
    assert caught.value.reason == "bad_answer"


@pytest.mark.parametrize(
    "body", ["", "<html>", '{"result": {', "[]", "3", "null", "[" * 100_000, b"\xff\xfe"]
)
def test_bodies_that_are_no_json_object(body):
    with pytest.raises(CallFailed) as caught:
        parse_object(body)
    assert caught.value.reason == "bad_answer"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (429, b'{"error":{"grpcCode":8,"httpCode":429,"message":"quota"}}', "rate_limited"),
        (429, b"<html>", "rate_limited"),
        (500, b'{"error":"text"}', "server_error"),
        (503, b'{"error":{"message":["?"]}}', "server_error"),
        (401, b"", "unauthorized"),
        (302, b"", "rejected"),
        (418, b"[]", "rejected"),
    ],
)
def test_answers_with_an_error(status, body, reason):
    failure = failure_of_body(status, body)
    assert failure.reason == reason
    assert len(failure.detail) <= 200


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"grpcCode": 8, "httpCode": 429}, "rate_limited"),
        ({"grpcCode": 14}, "server_error"),
        ({"grpcCode": "16"}, "unauthorized"),
        ({"httpCode": "text"}, "server_error"),
        ("words", "server_error"),
    ],
)
@WIRES
def test_an_error_as_a_line(wire, error, reason):
    line = json.dumps({"error": error})
    with pytest.raises(CallFailed) as caught:
        wire.reader().read(line if wire is NATIVE else f"data: {line}")
    assert caught.value.reason == reason


def test_a_stream_is_cumulative():
    reader = NATIVE.reader()
    texts = ["", "Пи", "Пиши ", "Пиши", "Пиши «о»."]
    lines = [json.dumps({"result": result(text, "PARTIAL")}) for text in texts[:3]]
    assert [reader.read(line) for line in lines] == ["", "Пи", "ши "]
    with pytest.raises(CallFailed):
        # What was told cannot be taken back.
        reader.read(json.dumps({"result": result(texts[3], "PARTIAL")}))


def test_a_stream_that_ends_early():
    reader = NATIVE.reader()
    with pytest.raises(CallFailed):
        reader.end()
    reader.read(json.dumps({"result": result("Пи", "PARTIAL")}))
    with pytest.raises(CallFailed) as caught:
        reader.end()
    assert caught.value.reason == "broken_off"
    with pytest.raises(CallFailed):
        OPENAI.reader().end()


def test_what_openai_sends_besides():
    reader = OPENAI.reader()
    for line in (": ping", "event: message", "data: [DONE]", "data:", "id: 3"):
        assert reader.read(line) == ""
    chunk = {"model": "m@1", "choices": [{"delta": {"content": "Да"}, "finish_reason": None}]}
    assert reader.read("data: " + json.dumps(chunk)) == "Да"
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    assert reader.read("data:" + json.dumps(end)) == ""
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    reader.read("data: " + json.dumps(usage))
    completion = reader.end()
    assert (completion.text, completion.version, completion.usage) == ("Да", "m@1", Usage(3, 2))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *["result", "alternatives", "message", "text", "status", "error", "usage"],
                    *["choices", "delta", "content", "finish_reason", "httpCode", "grpcCode"],
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["result", "error", "choices", "usage"]), JSON))
def test_no_document_raises_anything_else(document):
    for wire in (NATIVE, OPENAI):
        prefix = "" if wire is NATIVE else "data: "
        for read in (wire.completion, lambda d: wire.reader().read(prefix + json.dumps(d))):  # noqa: B023
            try:
                read(document)
            except CallFailed:
                continue
