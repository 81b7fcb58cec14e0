"""Each redirect is checked as the first URL was, and none leads inside."""

import pytest
from support.raw_network import (
    Canary,
    World,
    answer,
    at,
    raw_server,
    redirect,
    says,
)

from local.lambda_runtime import function_environment
from upcall.domain.errors import ToolError
from upcall.web.download import download


def refusal(location: str, world: World, **environment: str) -> str:
    """What is said when a public page redirects to `location`."""
    with raw_server(says(redirect(location))) as server:
        resolved = world.resolve
        world.resolve = lambda host, port: (
            [at("127.0.0.1", server.port)] if host == "public.test" else resolved(host, port)
        )
        with function_environment({"FETCH_LOCAL_HOSTS": "public.test:80", **environment}):
            with pytest.raises(ToolError) as caught:
                download("http://public.test/here")
    assert len(server.heads) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is not a public address"),
        ("http://[::1]/", "::1 is not a public address"),
        ("http://0x7f.1/", "0x7f.1 is not a public address"),
        ("//localhost/", "localhost is not a public address"),
        ("http://public.test:8080/", "port 8080 is not allowed"),
        ("https://user:secret@example.com/", "must not hold a user name or a password"),
        ("file:///etc/passwd", "only http and https URLs can be fetched"),
        ("javascript:alert(1)", "only http and https URLs can be fetched"),
        ("gopher://127.0.0.1/", "only http and https URLs can be fetched"),
        ("http:\\\\127.0.0.1\\", "holds a character that no URL may hold"),
        ("http://[", "the host %5b cannot be found"),
        ("http://example.com/" + "x" * 5000, "longer than 4,096 characters"),
    ],
)
def test_a_redirect_that_must_not_be_followed_is_said(world: World, location: str, words: str) -> None:
    assert words in refusal(location, world)


def test_a_redirect_inside_opens_no_connection(world: World, canary: Canary) -> None:
    assert "is not allowed" in refusal(f"http://{canary.host}/", world)
    world.resolve = lambda host, port: [at("127.0.0.1", canary.port)]
    assert "inside.test is not a public address" in refusal("http://inside.test/", world)

    assert canary.connections == 0


def test_a_redirect_out_of_the_allowed_domains_is_not_followed(world: World) -> None:
    said = refusal("http://evil.test/?data=secret", world, ALLOWED_DOMAINS="public.test")

    assert "evil.test is not allowed here" in said
    assert "evil.test" not in world.asked


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Again", "308 Gone There"])
@pytest.mark.parametrize("location", ["/there", "there", "//public.test/there", "http://public.test/there#x"])
def test_a_good_redirect_is_followed(world: World, status: str, location: str) -> None:
    with raw_server(lambda connection: connection.sendall(answers.pop(0))) as server:
        answers = [redirect(location, status), answer(b"there")]
        world.resolve = lambda host, port: [at("127.0.0.1", server.port)]
        with function_environment({"FETCH_LOCAL_HOSTS": "public.test:80"}):
            found = download("http://public.test/here")

    assert (found.url, found.body) == ("http://public.test/there", b"there")
    assert server.heads[1].startswith(b"GET /there HTTP/1.1\r\nHost: public.test\r\n")


def test_a_circle_is_left_after_five_redirects() -> None:
    with raw_server(says(redirect("/again"))) as server:
        with function_environment({"FETCH_LOCAL_HOSTS": server.host}):
            with pytest.raises(ToolError, match="the server redirects more than 5 times"):
                download(server.url)

    assert len(server.heads) == 6


def test_a_redirect_to_nowhere_is_an_answer_like_any_other() -> None:
    with raw_server(says(answer(status="302 Found"))) as server:
        with function_environment({"FETCH_LOCAL_HOSTS": server.host}):
            with pytest.raises(ToolError, match="the server answered 302 Found"):
                download(server.url)
