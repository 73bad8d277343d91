"""How infra/dev/contract's fuzzer calls: as whom, from where, about whom.

CONTRACT is a file that tells: `tokens`, one of which each call has; `password`, theirs; `rest`,
where accounts are made; `ids`, of things that are there, by name; `calls`, a file to which a line
is added for each answer: METHOD PATH STATUS.

Limits of an address or a player would answer almost every call of a fuzzer, and handlers would
not be reached. So each call comes from an address of its own, which `sortie-control up` believes as it
would a proxy, and from one of many players.
"""
import base64
import ipaddress
import json
import os
import random
import secrets
import struct
import zlib

import requests
import schemathesis

with open(os.environ["CONTRACT"], encoding="utf-8") as told:
    TOLD = json.load(told)
CHANCE = random.Random(TOLD["seed"])
IDS = TOLD["ids"]
IDS_MAX = 40
CALLS = open(TOLD["calls"], "a", encoding="utf-8", buffering=1)

# These end the login that they are called with, or the account, or lock it: each call is made by
# a player made for it. Nothing is left out.
ENDING = {
    ("DELETE", "/v1/sessions"),
    ("DELETE", "/v1/sessions/current"),
    ("DELETE", "/v1/sessions/{session_id}"),
    ("POST", "/v1/accounts/upgrade"),
}
# The same, and they ask for the password, which guests have none of.
ASKING = {
    ("DELETE", "/v1/me"),
    ("POST", "/v1/password"),
    ("POST", "/v1/totp"),
    ("POST", "/v1/totp/confirm"),
    ("DELETE", "/v1/totp"),
}


def address():
    """Of documentation's and measuring's networks, and so nobody's."""
    return str(ipaddress.IPv4Address(0xC612_0000 + CHANCE.randrange(1 << 17)))


def made(path, body):
    """The access token of a new player, and the id of the login."""
    answer = requests.post(TOLD["rest"] + path, json=body, timeout=10,
                           headers={"x-forwarded-for": address()})
    answer.raise_for_status()
    token = answer.json()["tokens"]["access_token"]
    claims = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return token, claims["sid"]


def new_member():
    name = "m" + secrets.token_hex(6)
    return {"name": name, "email": f"{name}@example.org", "password": TOLD["password"]}


def picture():
    """A small PNG."""
    def chunk(kind, body):
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = b"".join(b"\0" + secrets.token_bytes(16 * 3) for _ in range(16))
    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def real(name, value):
    """Half of the time, what is there or could be: random ids and names say little."""
    if not isinstance(value, str) or CHANCE.random() < 0.5:
        return value
    if name in ("name", "email"):
        return new_member()[name]
    if name in ("password", "old_password"):
        return TOLD["password"]
    known = IDS.get(name)
    return CHANCE.choice(known) if known else value


def with_real(value):
    if isinstance(value, dict):
        return {name: real(name, with_real(inner)) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_real(inner) for inner in value]
    return value


def short(query):
    """A stream that would go on for minutes ends after a second; what is refused stays."""
    query = dict(query or {})
    for_s = str(query.get("for_s", 300))
    if for_s.isdigit() and 1 <= int(for_s) <= 300:
        query["for_s"] = 1
    return query


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = (case.method.upper(), case.operation.path)
    case.path_parameters = with_real(case.path_parameters)
    case.query = with_real(case.query)
    case.body = with_real(case.body)
    if operation[1].endswith("/events"):
        case.query = short(case.query)
    if operation == ("PUT", "/v1/me/picture") and CHANCE.random() < 0.5:
        case.body, case.media_type = picture(), "image/png"
    token = CHANCE.choice(TOLD["tokens"])
    if operation in ASKING and CHANCE.random() < 0.5:
        token, _ = made("/v1/accounts", new_member())
    elif operation in ENDING | ASKING:
        token, session_id = made("/v1/accounts/guest", None)
        if "session_id" in (case.path_parameters or {}) and CHANCE.random() < 0.5:
            case.path_parameters["session_id"] = session_id
    case.headers["x-forwarded-for"] = address()
    case.headers["authorization"] = "Bearer " + token


def learn(value):
    """Ids of things that came to be meanwhile."""
    if isinstance(value, list):
        for inner in value:
            learn(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            learn(inner)
            is_id = name.endswith("_id") and name not in ("player_id", "request_id")
            if is_id or name in ("code", "next_cursor"):
                name = "cursor" if name == "next_cursor" else name
                known = IDS.setdefault(name, [])
                if isinstance(inner, str) and inner not in known:
                    known.append(inner)
                    del known[:-IDS_MAX]


@schemathesis.hook
def after_call(context, case, response):
    CALLS.write(f"{case.method.upper()} {case.operation.path} {response.status_code}\n")
    kind = response.headers.get("content-type", [""])[0]
    if response.status_code < 300 and kind.startswith("application/json"):
        learn(response.json())
