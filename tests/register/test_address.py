"""Addresses of registers: one spelling, no password, and nobody in between."""

from __future__ import annotations

import pytest

from valiza.keys.errors import Usage
from valiza.register.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://office@db.mfa.example/register", Address(user="office", host="db.mfa.example", database="register")),
        ("postgresql://db:5433/register", Address(host="db", port=5433, database="register")),
        ("postgresql:///register", Address(database="register")),
        ("postgresql://office@/register?host=/run/postgresql", Address(user="office", host="/run/postgresql", database="register")),
        ("postgresql://[::1]:5432/register", Address(host="::1", port=5432, database="register")),
        ("postgresql://mfa%2Foffice@db/%D1%80%D0%B5%D0%B5%D1%81%D1%82%D1%80", Address(user="mfa/office", host="db", database="реестр")),
        (
            "postgresql://o@db/register?passfile=/etc/valiza/pgpass&sslmode=verify-ca&sslrootcert=/etc/valiza/ca%20of%20us.crt",
            Address(
                user="o",
                host="db",
                database="register",
                options={"passfile": "/etc/valiza/pgpass", "sslmode": "verify-ca", "sslrootcert": "/etc/valiza/ca of us.crt"},
            ),
        ),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, expected: Address) -> None:
    assert parse_address(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://office:Sesam@db/register",
        "postgresql://office:@db/register?x=Sesam",
        "postgresql://office@db/register?password=Sesam",
        "postgresql://office@db/register?sslmode=verify-full&sslpassword=Sesam",
    ],
)
def test_a_password_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Usage, match="password") as caught:
        parse_address(text)
    assert "Sesam" not in caught.value.message + caught.value.hint
    assert "passfile" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "register",
        "sqlite:///register.db",
        "postgres://db/register",
        "postgresql+psycopg://db/register",
        "postgresql:db/register",
        "postgresql://",
        "postgresql://db",
        "postgresql://db/",
        "postgresql://db/a/b",
        "postgresql://db/register#part",
        "postgresql://db:port/register",
        "postgresql://db:70000/register",
        "postgresql://[db/register",
        "postgresql://one,two/register",
        "postgresql://%2Frun%2Fpostgresql/register",
        "postgresql://db/reg%0Aister",
        "postgresql://db/reg%FFister",
        "postgresql://o%00@db/register",
        "postgresql://db/register?host=/run/postgresql",
        "postgresql:///register?host=db",
        "postgresql:///register?port=1",
        "postgresql:///register?options=-c%20fsync%3Doff",
        "postgresql:///register?service=other",
        "postgresql:///register?sslmode",
        "postgresql:///register?sslmode=",
        "postgresql:///register?passfile=/a&passfile=/b",
        "postgresql:///register?sslmode=prefer",
        "postgresql://db/register?sslmode=prefer",
        "postgresql://db/register?sslmode=disable",
        "postgresql://db/register?sslmode=require",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Usage) as caught:
        parse_address(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("postgresql://db/register", "verify-full"),
        ("postgresql://192.0.2.1/register", "verify-full"),
        ("postgresql://db/register?sslmode=verify-ca", "verify-ca"),
        ("postgresql:///register", "verify-full"),
        ("postgresql:///register?host=/run/postgresql", None),
        ("postgresql://127.0.0.1/register", None),
        ("postgresql://localhost/register?sslmode=disable", "disable"),
    ],
)
def test_a_server_elsewhere_has_to_prove_who_it_is(text: str, mode: str | None) -> None:
    assert parse_address(text).parameters().get("sslmode") == mode


def test_the_library_is_told_what_the_address_says() -> None:
    parameters = parse_address("postgresql://office@db:5433/register?passfile=/etc/pgpass").parameters()
    assert parameters == {"user": "office", "host": "db", "port": 5433, "dbname": "register", "passfile": "/etc/pgpass", "sslmode": "verify-full"}
    assert parse_address("postgresql:///register").parameters() == {"dbname": "register", "sslmode": "verify-full"}
