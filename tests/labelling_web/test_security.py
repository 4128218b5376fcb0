"""The site as a public page: who may do what, how often, and what it never tells."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stemma.labelling.web.guard import LONGEST_BODY, Allowance
from tests.labelling import batch, stored_rows
from tests.labelling_web.conftest import ServedSite, Site

SAFE = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


@pytest.fixture
def ada(site: Site) -> Iterator[httpx.Client]:
    """A browser in which ada is signed in; batch b has three items."""
    site.store.make_batch(batch(3))
    with httpx.Client(base_url=site.url, follow_redirects=True, timeout=30) as client:
        client.get(site.link("ada"))
        yield client


def form_of(client: httpx.Client) -> dict[str, str]:
    """The fields of the form on the labelling page."""
    page = client.get("/label/b").text
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', page.split("data-verdict>")[1]))


def test_every_answer_carries_the_headers(site: Site, ada: httpx.Client) -> None:
    for path in (
        "/",
        "/label/b",
        "/static/label.js",
        "/nothing",
        "/sign-in/x",
        "/admin",
        "/label/nothing",
        "/label/%00",
    ):
        answer = ada.get(path)
        for name, value in SAFE.items():
            assert answer.headers[name].startswith(value), path
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "<style" not in answer.text
        assert not re.search(r"<script(?! src=\"/static/)|\son\w+=|\sstyle=", answer.text), path
        assert "server" not in answer.headers
    assert ada.get("/label/b").headers["cache-control"] == "no-store"
    assert site.store.batch("b") is not None


def test_the_cookie_is_out_of_reach_and_the_token_leaves_the_address(site: Site) -> None:
    answer = httpx.get(site.link("ada"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    behind_https = httpx.get(site.link("ada"), headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in behind_https.headers["set-cookie"]


def test_a_form_that_is_not_of_this_session_does_nothing(site: Site, ada: httpx.Client) -> None:
    fields = {**form_of(ada), "choice": "first"}
    for csrf in ("", "0" * 64, "é"):
        assert ada.post("/label/b/verdict", data={**fields, "csrf": csrf}).status_code == 419
    assert httpx.post(f"{site.url}/label/b/verdict", data=fields).status_code == 401
    with httpx.Client(base_url=site.url, follow_redirects=True) as ben:
        ben.get(site.link("ben"))
        assert ben.post("/label/b/verdict", data=fields).status_code == 419
        own = form_of(ben)
        stolen = {**fields, "csrf": own["csrf"]}
        assert ben.post("/label/b/verdict", data=stolen).status_code == 400, "ada's item"
    for path in ("/sign-out", "/label/b/undo", "/admin/people", "/admin/batch/b/close", "/admin/batch/b/item/0"):
        assert ada.post(path, data={"csrf": "x"}).status_code == 419, path
    assert stored_rows(site.store) == []
    assert ada.post("/label/b/verdict", data=fields).status_code == 200
    assert len(stored_rows(site.store)) == 1


def test_admin_pages_are_for_admins(site: Site, ada: httpx.Client) -> None:
    csrf = form_of(ada)["csrf"]
    for path in ("/admin", "/admin/batch/b", "/admin/batch/b/item/0"):
        assert ada.get(path).status_code == 403, path
        assert httpx.get(site.url + path).status_code == 401
    posts = {
        "/admin/people": {"act": "withdraw", "name": "ada", "reason": "x"},
        "/admin/batch/b/close": {"reason": "x", "partial": "yes"},
        "/admin/batch/b/item/0": {"request": "r", "choice": "first"},
    }
    for path, fields in posts.items():
        assert ada.post(path, data={"csrf": csrf, **fields}).status_code == 403, path
    assert site.store.batch("b").state == "open"  # type: ignore[union-attr]
    assert stored_rows(site.store) == []


def test_a_revoked_link_ends_the_session_at_once(site: Site, ada: httpx.Client) -> None:
    fields = {**form_of(ada), "choice": "first"}
    site.store.people.revoke("ada")
    assert ada.get("/label/b").status_code == 401
    assert ada.post("/label/b/verdict", data=fields).status_code == 401
    assert stored_rows(site.store) == []


def test_signing_out_ends_the_session(site: Site, ada: httpx.Client) -> None:
    kept = dict(ada.cookies)
    assert ada.post("/sign-out", data={"csrf": form_of(ada)["csrf"]}).status_code == 200
    assert httpx.get(f"{site.url}/label/b", cookies=kept).status_code == 401


def test_guessing_links_is_slow(site: Site) -> None:
    link = site.link("ada")
    answers = [httpx.get(f"{site.url}/sign-in/guess-{number}").status_code for number in range(12)]
    assert answers[:10] == [403] * 10
    assert answers[-1] == 429
    assert httpx.get(link).status_code == 429, "not even with a good one, for a while"


def test_a_session_that_asks_too_fast_is_told_to_wait(site: Site, ada: httpx.Client) -> None:
    answers = [ada.get("/static/icon.svg") for _ in range(200)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].headers["retry-after"] == "2"
    assert httpx.get(f"{site.url}/").status_code == 200, "others are not held up"


def test_an_allowance_comes_back_with_time() -> None:
    now = [0.0]
    allowance = Allowance(at_once=2, a_second=0.5, clock=lambda: now[0])
    assert [allowance.use("a") for _ in range(3)] == [True, True, False]
    assert allowance.use("b")
    now[0] = 2.0
    assert [allowance.use("a") for _ in range(2)] == [True, False]


def test_bodies_are_short(site: Site, ada: httpx.Client) -> None:
    fields = {**form_of(ada), "choice": "first"}
    assert ada.post("/label/b/verdict", data={**fields, "note": "x" * LONGEST_BODY}).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    assert httpx.post(f"{site.url}/label/b/verdict", content=endless()).status_code == 413
    assert ada.post("/label/b/verdict", data={**fields, "note": "x" * 2001}).status_code == 400
    many = "&".join(f"a{number}=1" for number in range(500))
    assert ada.post("/label/b/verdict", content=many).status_code == 419
    assert stored_rows(site.store) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"choice": ""},
        {"choice": "best"},
        {"choice": "rank"},
        {"choice": "first", "strength": "9"},
        {"choice": "first", "strength": "٣"},
        {"choice": "first", "request": "nope"},
        {"choice": "first", "request": "<script>"},
    ],
)
def test_forms_that_make_no_sense_are_refused(site: Site, ada: httpx.Client, fields: dict[str, str]) -> None:
    answer = ada.post("/label/b/verdict", data={**form_of(ada), **fields})
    assert answer.status_code == 400
    assert "<script>" not in answer.text
    assert stored_rows(site.store) == []


def test_batches_that_cannot_be_are_not_found(ada: httpx.Client) -> None:
    csrf = form_of(ada)["csrf"]
    for name in ("%00", "a%0ab", "x" * 200):
        assert ada.get(f"/label/{name}").status_code == 404
        assert ada.post(f"/label/{name}/verdict", data={"csrf": csrf, "choice": "tie"}).status_code == 404
    for path in ("verdict", "undo"):
        assert ada.post(f"/label/nope/{path}", data={"csrf": csrf, "choice": "tie"}).status_code == 400


def test_what_is_asked_for_is_never_html(ada: httpx.Client) -> None:
    for path in ("/label/<script>alert(1)</script>", '/label/"onload="alert(1)', "/<img src=x>", "/admin/batch/<b>"):
        assert not re.search(r"<script>|<img|<b>|\"onload", ada.get(path).text), path


def test_a_note_with_a_null_or_broken_utf8_is_kept_as_it_can_be(site: Site, ada: httpx.Client) -> None:
    fields = form_of(ada)
    body = f"csrf={fields['csrf']}&request={fields['request']}&choice=tie&note=a%00b%FF%F0%9F%99%82"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ada.post("/label/b/verdict", content=body, headers=headers).status_code == 200
    assert stored_rows(site.store)[0].note == "a\0b\ufffd🙂"
    assert ada.get("/label/b").status_code == 200


def test_a_store_that_fails_is_told_without_its_address(site: Site, ada: httpx.Client, tmp_path: Path) -> None:
    fields = {**form_of(ada), "choice": "first"}
    with site.store._database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE verdicts RENAME TO gone")
    answer = ada.post("/label/b/verdict", data=fields)
    assert answer.status_code == 503, "the script sends it again"
    assert str(tmp_path) not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_log_of_the_server_holds_no_secret(served_site: ServedSite) -> None:
    site = served_site
    link = site.link("ada")
    with httpx.Client(follow_redirects=True) as client:
        client.get(link)
        client.get(f"{link}/more")
        client.get(f"{site.url}//sign-in/{link[-20:]}?t={link[-20:]}")
        client.get(f"{site.url}/label/%0a%1b[31mforged")
        secret = client.cookies["stemma_labels"]
    site.kill()
    log = site.log.read_text(encoding="utf-8")
    assert "GET /sign-in/... 303" in log
    assert link.rsplit("/", 1)[-1] not in log
    assert link[-20:] not in log
    assert secret not in log
    assert "\x1b" not in log
    assert "\nforged" not in log
