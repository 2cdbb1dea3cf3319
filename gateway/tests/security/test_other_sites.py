"""A page of another site can do nothing with a browser that has logged in: there are no cookies, and no other sites."""

from typing import Any

from gateway.tests.serving import PASSWORD, RunningGateway, StartGateway

EVIL = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}
FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
"""What a page may send to another site without asking it first (https://fetch.spec.whatwg.org/#cors-safelisted-method)."""


def operations(gateway: RunningGateway) -> list[tuple[str, str]]:
    told = gateway.anybody.get("/openapi.json")["paths"]
    found = [(method.upper(), path) for path, known in told.items() for method in known]
    filled = [(method, path.replace("{", "").replace("}", "")) for method, path in found]
    return [*filled, ("POST", "/mcp"), ("POST", "/rpc"), ("GET", "/mcp")]


def test_no_answer_sets_a_cookie_and_a_cookie_is_no_credential(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    login = gateway.anybody.raw("POST", "/auth/login", json={"email": ann.email, "password": "wrong"})
    begun = gateway.anybody.raw("POST", "/auth/login", json={"email": ann.email, "password": PASSWORD})
    assert begun.status_code == 200
    assert "set-cookie" not in login.headers and "set-cookie" not in begun.headers
    token = begun.json()["access_token"]
    for method, path in operations(gateway):
        answer = ann.raw(method, path)
        assert "set-cookie" not in answer.headers, path
    for name in ("session", "token", "access_token", "Authorization", "jwt_token"):
        cookie = {"Cookie": f"{name}={token}; {name}=Bearer {token}"}
        assert gateway.anybody.raw("GET", "/auth/email/me", headers=cookie).status_code == 401
        assert gateway.anybody.raw("GET", f"/auth/email/me?{name}={token}").status_code == 401
    assert not gateway.client.cookies


def test_a_form_of_another_site_changes_nothing(start: StartGateway) -> None:
    """Also where everybody may read what is public."""
    gateway = start(anonymous=True, allowed_hosts=("testserver",))
    for method, path in operations(gateway):
        if method == "GET" or path.startswith("/auth/"):
            continue  # logging in is not doing something as who has logged in
        for kind in FORMS:
            answer = gateway.anybody.raw(method, path, content="{}", headers=EVIL | {"Content-Type": kind})
            assert 400 <= answer.status_code < 500, (method, path, kind, answer.status_code)


def test_no_other_site_is_allowed_to_read_an_answer_or_to_send_a_header(start: StartGateway) -> None:
    gateway = start(anonymous=True)
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for _, path in operations(gateway):
        for answer in (
            gateway.anybody.raw("OPTIONS", path, headers=EVIL | asking),
            gateway.anybody.raw("GET", path, headers=EVIL),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")], path


def test_the_protocol_is_spoken_with_no_page_of_another_site_nor_under_another_name(start: StartGateway) -> None:
    gateway = start(anonymous=True, allowed_hosts=("testserver",))
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for path in ("/rpc", "/mcp", f"/servers/{'0' * 32}/mcp"):
        for headers in (
            EVIL,
            {"Host": "evil.example"},
            {"Origin": "null"},
            {"Origin": "http://testserver.evil.example"},
        ):
            assert gateway.admin.raw("POST", path, json=body, headers=headers).status_code == 403, (path, headers)
    assert gateway.anybody.raw("POST", "/rpc", json=body, headers={"Origin": "http://testserver"}).status_code == 200
