"""No secret survives in what is recorded."""

from __future__ import annotations

import json
import string
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproof import redact

# What RFC 3986 allows in the user part of a URL.
_password = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=%", min_size=8, max_size=30)
_secret = st.text(string.ascii_letters + string.digits + "-_./+=$^*[]()\\ ", min_size=8, max_size=40).filter(
    lambda text: text.strip() == text
)
_words = st.text(string.ascii_lowercase + " :,=\n", max_size=20)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:pass@host/x.git", "https://host/x.git"),
        ("https://ghp_abc@github.com/a/b", "https://github.com/a/b"),
        ("http://u:p@host:8080/x?a=1#f", "http://host:8080/x?a=1#f"),
        ("ssh://git:pass@host/x", "ssh://host/x"),
        ("s3://key:secret@bucket/x", "s3://bucket/x"),
        ("https://host/x?token=abc&page=2", "https://host/x?token=***&page=2"),
        ("https://host/x?page=2&X-Amz-Signature=abc", "https://host/x?page=2&X-Amz-Signature=***"),
        (
            "http://127.0.0.1:7860/?project=p&write_token=abc",
            "http://127.0.0.1:7860/?project=p&write_token=***",
        ),
        ("https://host/cb#access_token=abc&state=1", "https://host/cb#access_token=***&state=1"),
    ],
)
def test_credentials_leave_an_address(address: str, shown: str) -> None:
    assert redact.url(address) == shown


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/org/name.git",
        "git@github.com:org/name.git",
        "ssh://git@host/path",
        "ssh://git@host:2222/path",
        "git+ssh://git@host/path",
        "/srv/git/name.git",
        "file:///srv/git/name.git",
        "https://host/jobs/1?page=2#log",
        "",
    ],
)
def test_an_address_without_a_secret_stays(address: str) -> None:
    assert redact.url(address) == address


def test_an_address_that_cannot_be_parsed_is_hidden() -> None:
    assert redact.url("https://user:pass@[host/x") == redact.HIDDEN


@given(_password, _password, st.sampled_from(["https", "http", "ssh", "git+https", "s3", "postgresql"]))
def test_no_password_of_an_address_is_left(user: str, password: str, scheme: str) -> None:
    address = f"{scheme}://user{user}:PLANTED{password}@host.example.org/path.git"
    assert "PLANTED" not in redact.url(address)
    assert redact.url(address).endswith("host.example.org/path.git")


@given(_words, _password, st.sampled_from(["", " ", "'", '"', "\n", ")", ">"]))
def test_no_password_of_an_address_in_a_text_is_left(words: str, password: str, end: str) -> None:
    message = f"{words} https://user:{password}PLANTED@host.example.org/x.git{end} {words}"
    assert "PLANTED" not in redact.text(message, {})


@given(
    st.dictionaries(
        st.sampled_from(
            ["MY_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "API_KEY", "client_secret"]
        ),
        _secret,
        min_size=1,
    ),
    st.data(),
)
def test_no_value_of_a_secret_variable_is_left(env: dict[str, str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from(list(env.values())) | _words, min_size=1, max_size=6))
    shown = redact.text("|".join(parts), env)
    assert not [secret for secret in env.values() if secret in shown]


def test_a_secret_that_begins_like_another_leaves_no_rest() -> None:
    env = {"CI_TOKEN": "glpat-12345", "DEPLOY_TOKEN": "glpat-1234567890"}
    assert redact.text("denied for glpat-1234567890", env) == "denied for ***"


def test_ordinary_words_are_left_alone() -> None:
    env = {"HOME": "/home/ada", "PATH": "/usr/bin", "MY_TOKEN": "train", "EMPTY_SECRET": ""}
    message = "cannot read /home/ada/train.csv: see https://example.org/help (code 3)"
    assert redact.text(message, env) == message


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["python", "x.py", "--token", "abc"], ["python", "x.py", "--token", "***"]),
        (["--api-key=abc", "--lr", "0.1"], ["--api-key=***", "--lr", "0.1"]),
        (["--hf_token", "abc", "--lr=1"], ["--hf_token", "***", "--lr=1"]),
        (["--password=", "a"], ["--password=***", "a"]),
        (["--remote", "https://u:p@host/x"], ["--remote", "https://host/x"]),
        (["--config", "params.yaml"], ["--config", "params.yaml"]),
    ],
)
def test_a_command_line_shows_no_secret_option(arguments: list[str], shown: list[str]) -> None:
    assert redact.argv(arguments, {}) == shown


def test_a_switch_that_sounds_secret_does_not_shield_the_secret_after_it() -> None:
    shown = redact.argv(["--use-auth", "--token", "PLANTED"], {})
    assert "PLANTED" not in " ".join(shown)


def test_a_secret_variable_is_hidden_in_a_command_line_too() -> None:
    env = {"MY_TOKEN": "s3cret-value"}
    assert redact.argv(["--header", "Bearer s3cret-value"], env) == ["--header", "Bearer ***"]


@given(
    st.lists(
        st.sampled_from(
            [
                ["--token", "PLANTED-1"],
                ["--token=PLANTED-2"],
                ["-api-key", "PLANTED-3"],
                ["--db-password=PLANTED=4"],
                ["--url", "https://me:PLANTED5@host/x"],
                ["--url=https://me:PLANTED6@host/x"],
                ["--lr", "0.1"],
                ["--verbose"],
                ["--no-auth"],
                ["src/train.py"],
            ]
        ),
        max_size=8,
    )
)
def test_no_secret_of_a_command_line_is_left(options: list[list[str]]) -> None:
    arguments = [argument for option in options for argument in option]
    shown = redact.argv(arguments, {})
    assert len(shown) == len(arguments)
    assert "PLANTED" not in " ".join(shown)


# What gives a secret away by itself.


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("refused ghp_0123456789abcdefghij0123", "refused ***"),
        ("login: glpat-abcdefghij0123456789!", "login: ***!"),
        ("key AKIAABCDEFGHIJKLMNOP is old", "key *** is old"),
        ("Authorization: Basic YWRhOnBhc3N3b3Jk", "Authorization: Basic ***"),
        ("header 'Bearer abc.def-ghi'", "header 'Bearer ***'"),
        ("host=db password=swordfish dbname=runs", "host=db password=*** dbname=runs"),
        ('{"api_key": "swordfish", "lr": 0.1}', '{"api_key": "***", "lr": 0.1}'),
        ("AccountKey=abcdef==;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b", "a *** b"),
        ("a -----BEGIN PRIVATE KEY-----\nMII and the rest is cut", "a ***"),
        ("clone https://ada:pa/ss@host/x.git failed", "clone https://host/x.git failed"),
        ("clone https://ada:p#a?s@s@host/x.git", "clone https://host/x.git"),
    ],
)
def test_a_secret_that_no_variable_holds_is_known_by_its_form(message: str, shown: str) -> None:
    assert redact.text(message, {}) == shown


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens: 512000, tokenizer: bert-base-uncased, author: Lovelace",
        "a bearer of news; the basic authorization of Secretary Smith",
        "http://host:8080/@ada/run?page=2&keyword=cats&design=new#top",
        "pad_token='[PAD]', primary key of the table, sort keys by name",
        "sk-learn-logistic-regression-baseline beats ghp_short",
        "found 'params.yaml:3: train.lr: expected a number'",
    ],
)
def test_words_that_only_sound_like_secrets_stay(message: str) -> None:
    assert redact.text(message, {}) == message


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("GITHUB_PAT", True), ("MYSQL_PWD", True), ("SSHPASS", True), ("SENTRY_DSN", True), ("APIKEY", True),
        ("HTTP_AUTHORIZATION", True), ("SLACK_WEBHOOK_URL", True), ("KEY", True), ("PATH", False),
        ("PWD", False), ("OLDPWD", False), ("TOKENIZERS_PARALLELISM", False), ("GIT_AUTHOR_NAME", False),
        ("XAUTHORITY", False), ("MONKEY", False), ("BYPASS", False), ("DISPATCH", False),
    ],
)  # fmt: skip
def test_a_variable_is_secret_by_its_name(name: str, secret: bool) -> None:
    assert (redact.text("it is swordfish", {name: "swordfish"}) == "it is ***") is secret


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("postgresql://ada:swordfish@db/runs", "wrong password swordfish"),
        ("postgresql://ada:sword%2Ffish@db/runs", "wrong password sword/fish"),
        ("AccountName=a;AccountKey=swordfish;Suffix=b", "wrong key swordfish"),
    ],
)
def test_the_password_inside_a_variable_is_hidden_by_itself(value: str, message: str) -> None:
    assert redact.text(message, {"STORE": value}).split()[-1] == redact.HIDDEN


def test_the_name_in_an_ssh_address_is_no_secret() -> None:
    assert redact.text("deploy the deployment", {"STORE": "ssh://deploy@host/x"}) == "deploy the deployment"


@given(_secret.filter(lambda secret: "'" not in secret))
def test_a_secret_is_hidden_in_the_forms_in_which_messages_quote_it(secret: str) -> None:
    env = {"MY_TOKEN": f"PLANTED{secret}"}
    for quoted in (repr, json.dumps, quote, lambda text: quote(text, safe="")):
        assert "PLANTED" not in redact.text(f"found {quoted(env['MY_TOKEN'])}.", env)


_telling = st.sampled_from(["token=", "Bearer ", "https://", "a:b@", "secret: ", "x" * 8])


@given(st.text(max_size=60) | st.lists(_telling, max_size=6).map("".join))
def test_what_is_hidden_once_stays_so(message: str) -> None:
    once = redact.text(message, {"MY_TOKEN": "swordfish"})
    assert redact.text(once, {"MY_TOKEN": "swordfish"}) == once


@pytest.mark.parametrize("piece", ["a", "a:", "?", "9", "sk-", "eyJ-", "https://a:", "-----BEGIN ", "token="])
def test_a_long_text_costs_no_square_of_its_length(piece: str) -> None:
    began = time.perf_counter()
    redact.text(piece * (200_000 // len(piece)), {})
    assert time.perf_counter() - began < 5


def test_assignments_of_a_command_line_are_hidden_too() -> None:
    shown = redact.argv(
        ["train.py", "wandb.api_key=abc", "--set=db.password=d", "lr=0.1", "-S", "hub.token=x"], {}
    )
    assert shown == [
        "train.py",
        "wandb.api_key=***",
        "--set=db.password=***",
        "lr=0.1",
        "-S",
        "hub.token=***",
    ]


def test_keys_and_tuples_are_searched_like_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "swordfish")
    assert redact.data({"swordfish": ("a swordfish", {"x": ["swordfish"]}), "n": 1}) == {
        "***": ["a ***", {"x": ["***"]}],
        "n": 1,
    }
