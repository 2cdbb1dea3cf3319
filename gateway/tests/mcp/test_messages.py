"""Messages are taken apart, and sent on in the words of their sender."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letgo_gateway.upstreams.calls import Call, Caller, legacy_params, modern_params
from letgo_gateway.upstreams.events import EventReader, event
from letgo_gateway.upstreams.messages import Malformed, extended, members_of, parse, response, written

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), values, max_size=4)
spaces = st.sampled_from([None, 1, 4])


@given(objects, spaces)
def test_a_result_is_sent_on_as_it_was_written(result: dict[str, object], indent: int | None) -> None:
    body = json.dumps({"result": result, "id": 7, "jsonrpc": "2.0"}, indent=indent)
    message = parse(body)
    assert message.result is not None and message.result.value == result
    assert message.result.raw in body
    assert json.loads(response(8, message.result.raw)) == {"jsonrpc": "2.0", "id": 8, "result": result}


def test_numbers_and_escapes_are_not_written_anew() -> None:
    raw = '{"big":123456789012345678901234567890,"exact":1.10,"tiny":1E-400,"said":"\\u00e9\\/"}'
    message = parse(f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"arguments":{raw},"name":"x"}}}}')
    assert raw in modern_params(Call("tools/call", message.params or {}), 3)
    assert raw in legacy_params(Call("tools/call", message.params or {}), 3)


@given(objects, objects)
def test_members_are_added_and_changed(value: dict[str, object], more: dict[str, object]) -> None:
    text = json.dumps(value)
    new = {name: member for name, member in more.items() if name not in value}
    assert json.loads(extended(text, **new)) == value | new
    kept = {name: member for name, member in more.items() if member is not None}
    assert json.loads(written(members_of(text), **kept)) == value | kept


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"a"} x', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":1,"a":2}}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":NaN}}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", -32700),
        (b"[]", -32600),
        (b'{"id":1,"method":"a"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"a"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"a"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":2}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":[]}', -32602),
    ],
)
def test_what_is_no_message_is_refused(body: bytes, code: int) -> None:
    with pytest.raises(Malformed) as refused:
        parse(body)
    assert refused.value.code == code


def test_each_era_is_told_what_it_knows() -> None:
    meta = '{"io.modelcontextprotocol/protocolVersion":"x","traceparent":"00-1","progressToken":"mine"}'
    params = parse(
        f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","inputResponses":{{}},"_meta":{meta}}}}}'
    ).params
    call = Call("tools/call", params or {}, Caller(capabilities={"sampling": {}}), "info")
    old, new = json.loads(legacy_params(call, 5)), json.loads(modern_params(call, 5))
    assert old == {"name": "x", "_meta": {"traceparent": "00-1", "progressToken": 5}}
    assert new["inputResponses"] == {} and new["_meta"]["progressToken"] == 5
    assert new["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert new["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {"sampling": {}}
    assert new["_meta"]["io.modelcontextprotocol/logLevel"] == "info"


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"])), max_size=5), st.integers(1, 9), st.booleans())
def test_events_are_the_same_however_they_are_cut(said: list[str], size: int, carriage: bool) -> None:
    sent = b"".join(event(json.dumps(one).encode()) for one in said)
    sent = sent.replace(b"\n", b"\r\n") if carriage else sent
    reader, heard = EventReader(), []
    for at in range(0, len(sent), size):
        heard += [one.data for one in reader.feed(sent[at : at + size])]
    assert [json.loads(one) for one in heard] == said
