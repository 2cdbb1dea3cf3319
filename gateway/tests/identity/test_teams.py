"""Teams: who is in them, and how one gets in and out."""

from gateway.tests.serving import RunningGateway


def test_an_invitation_lets_in_whom_it_is_for_and_only_once(gateway: RunningGateway) -> None:
    team = gateway.team("books", "ann")
    ann, bob, eve = (gateway.user(name) for name in ("ann", "bob", "eve"))
    invitation = ann.post(f"/teams/{team}/invitations", {"email": "Bob@example.com", "role": "viewer"})
    assert "code" not in str(ann.get(f"/teams/{team}/invitations")[0].get("code", "") or "")
    bob.get(f"/teams/{team}", 404)
    eve.post("/teams/invitations/accept", {"code": invitation["code"]}, expect=404)
    assert bob.post("/teams/invitations/accept", {"code": invitation["code"]})["id"] == team
    assert [(member["email"], member["role"]) for member in bob.get(f"/teams/{team}/members")["items"]] == [
        ("ann@example.com", "owner"),
        ("bob@example.com", "viewer"),
    ]
    bob.post("/teams/invitations/accept", {"code": invitation["code"]}, expect=404)
    ann.post(f"/teams/{team}/invitations", {"email": "bob@example.com"}, expect=409)


def test_a_second_invitation_takes_the_place_of_the_first_and_can_be_withdrawn(gateway: RunningGateway) -> None:
    team = gateway.team("books", "ann")
    ann, bob = gateway.user("ann"), gateway.user("bob")
    first, second = (ann.post(f"/teams/{team}/invitations", {"email": bob.email}) for _ in range(2))
    bob.post("/teams/invitations/accept", {"code": first["code"]}, expect=404)
    ann.delete(f"/teams/{team}/invitations/{second['id']}")
    bob.post("/teams/invitations/accept", {"code": second["code"]}, expect=404)


def test_a_listed_team_can_be_asked_to_let_one_in(gateway: RunningGateway) -> None:
    ann, bob, eve = (gateway.user(name) for name in ("ann", "bob", "eve"))
    hidden = ann.post("/teams", {"name": "hidden"})["id"]
    listed = ann.post("/teams", {"name": "listed", "listed": True})["id"]
    assert [team["id"] for team in bob.get("/teams")["items"]] == [listed]
    bob.post(f"/teams/{hidden}/join-requests", {}, expect=404)
    bob.get(f"/teams/{listed}/members", 403)
    for asking in (bob, eve):
        asking.post(f"/teams/{listed}/join-requests", {"message": "please"})
    bob.post(f"/teams/{listed}/join-requests", {}, expect=409)
    bob.get(f"/teams/{listed}/join-requests", 403)
    requests = {one["email"]: one["id"] for one in ann.get(f"/teams/{listed}/join-requests")}
    bob.post(f"/teams/{listed}/join-requests/{requests[bob.email]}/approve", expect=403)
    ann.post(f"/teams/{listed}/join-requests/{requests[bob.email]}/approve")
    ann.delete(f"/teams/{listed}/join-requests/{requests[eve.email]}")
    assert len(bob.get(f"/teams/{listed}/members")["items"]) == 2
    eve.get(f"/teams/{listed}/members", 403)
    assert ann.get(f"/teams/{listed}/join-requests") == []


def test_a_team_keeps_an_owner(gateway: RunningGateway) -> None:
    team = gateway.team("books", "ann", bob="member")
    ann, bob = gateway.user("ann"), gateway.user("bob")
    ann.delete(f"/teams/{team}/members/{ann.id}", 409)
    ann.put(f"/teams/{team}/members/{ann.id}", {"role": "member"}, expect=409)
    bob.put(f"/teams/{team}/members/{bob.id}", {"role": "owner"}, expect=403)
    bob.delete(f"/teams/{team}/members/{ann.id}", 403)
    ann.put(f"/teams/{team}/members/{bob.id}", {"role": "owner"})
    ann.delete(f"/teams/{team}/members/{ann.id}")
    ann.get(f"/teams/{team}", 404)
    ann.put(f"/teams/{team}/members/{bob.id}", {"role": "astronaut"}, expect=404)
    bob.put(f"/teams/{team}/members/{bob.id}", {"role": "astronaut"}, expect=422)


def test_a_team_is_changed_at_its_version_and_deleted_when_it_is_empty(gateway: RunningGateway) -> None:
    team = gateway.team("books", "ann", bob="member")
    ann, bob = gateway.user("ann"), gateway.user("bob")
    bob.patch(f"/teams/{team}", {"version": 1, "name": "ours"}, expect=403)
    assert ann.patch(f"/teams/{team}", {"version": 1, "name": "more books"})["version"] == 2
    ann.patch(f"/teams/{team}", {"version": 1, "name": "fewer books"}, expect=409)
    bob.post("/teams", {"name": "more books"}, expect=409)
    tool = {"name": "echo", "url": "https://api.example", "method": "GET", "visibility": "team", "team_id": team}
    made = bob.post("/tools", tool)
    assert "belong to this team" in ann.delete(f"/teams/{team}", 409)["detail"]
    bob.delete(f"/tools/{made['id']}")
    ann.delete(f"/teams/{team}")
    bob.get(f"/teams/{team}", 404)


def test_built_in_roles_stay_and_roles_in_use_are_kept(gateway: RunningGateway) -> None:
    admin, ann = gateway.admin, gateway.user("ann")
    builtin = next(role for role in ann.get("/rbac/roles") if role["name"] == "member")
    admin.patch(f"/rbac/roles/{builtin['id']}", {"permissions": []}, expect=409)
    admin.delete(f"/rbac/roles/{builtin['id']}", 409)
    ann.post("/rbac/roles", {"name": "mine", "permissions": ["users.manage"]}, expect=403)
    admin.post("/rbac/roles", {"name": "odd", "permissions": ["users.fly"]}, expect=422)
    role = admin.post("/rbac/roles", {"name": "tester", "permissions": ["tools.read"]})
    admin.post("/rbac/roles", {"name": "tester", "permissions": []}, expect=409)
    team = gateway.team("books", "ann", bob="tester")
    admin.delete(f"/rbac/roles/{role['id']}", 409)
    ann.delete(f"/teams/{team}/members/{gateway.user('bob').id}")
    admin.delete(f"/rbac/roles/{role['id']}")
