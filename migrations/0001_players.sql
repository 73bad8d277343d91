-- Players and how they prove who they are.
--
-- Everything that could name a human being stands in the schema `personal` and nowhere else:
-- erasing a player empties its rows there and renames its row in `player`. All other tables know
-- a player by an opaque id only.

create schema personal;

-- What other players may see. The id is a UUIDv7 made by the service; the battle server's
-- player key is the same 128 bits.
create table player (
    player_id uuid primary key,
    -- A guest has no credential but its refresh token, until it becomes a member.
    is_guest boolean not null default false,
    name text not null
        constraint player_name_shape check (name ~ '^[[:alnum:]][[:alnum:] _.-]{1,22}[[:alnum:]]$'),
    -- Names are unique whatever their case; the expression index would not name its constraint.
    name_key text generated always as (lower(name)) stored
        constraint player_name_taken unique,
    about text not null default '' constraint player_about_length check (char_length(about) <= 500),
    -- SHA-256 of the picture; the picture itself is in object storage under this name.
    picture bytea constraint player_picture_digest check (octet_length(picture) = 32),
    created_at timestamptz not null default now(),
    -- Set by erasure; the row stays, because battles refer to it.
    erased_at timestamptz
);
-- Who was erased lately, for nodes that did not hear of it.
create index player_by_erasure on player (erased_at) where erased_at is not null;

-- Guests who cannot come back are looked for by age.
create index player_guest on player (created_at) where is_guest and erased_at is null;

create table personal.identity (
    player_id uuid primary key references player,
    email text not null constraint identity_email_shape
        check (char_length(email) between 3 and 254 and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    email_key text generated always as (lower(email)) stored
        constraint identity_email_taken unique,
    email_verified_at timestamptz
);

create table personal.credential (
    player_id uuid primary key references player,
    -- A PHC string: algorithm, parameters and salt are in it, so that costs can be raised later.
    password_phc text not null,
    changed_at timestamptz not null default now(),
    -- Base32 secret; confirmed once a first code was right.
    totp_secret text,
    totp_confirmed_at timestamptz,
    -- The last step that was used: a code is good once.
    totp_step bigint
);

-- One row a login. Named login_session, because a session is a player's stay in a battle.
create table personal.login_session (
    session_id uuid primary key,
    player_id uuid not null references player,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    address inet,
    agent text not null default '' constraint login_session_agent_length
        check (char_length(agent) <= 200),
    revoked_at timestamptz,
    -- logout, logout_everywhere, password_change, totp, reuse, ban, erasure, staff
    revoked_why text
);
create index login_session_by_player on personal.login_session (player_id) where revoked_at is null;
-- What ended lately, for nodes that did not hear of it.
create index login_session_by_end on personal.login_session (revoked_at)
    where revoked_at is not null;

-- The family of refresh tokens of one login: each is used once and replaced by the next.
create table personal.refresh_token (
    token_hash bytea primary key constraint refresh_token_digest
        check (octet_length(token_hash) = 32),
    session_id uuid not null references personal.login_session on delete cascade,
    -- Place in the family, from 1: a token is retried only while nothing after it was used.
    generation integer not null default 1,
    created_at timestamptz not null default now(),
    -- When it was exchanged. Within ten seconds the predecessor may be tried once more, because
    -- an answer can be lost; later, or twice, it is theft and revokes the login.
    used_at timestamptz,
    retried_at timestamptz
);
create index refresh_token_by_session on personal.refresh_token (session_id);

create table personal.reset_token (
    token_hash bytea primary key constraint reset_token_digest
        check (octet_length(token_hash) = 32),
    player_id uuid not null references player,
    expires_at timestamptz not null,
    used_at timestamptz
);
create index reset_token_by_player on personal.reset_token (player_id);

-- What is guessed at: SHA-256 of a login name or address (known or not, so that a lock tells
-- nothing), or of a player's id. The same letters count as the same as in `name_key` and
-- `email_key`: whoever computed it elsewhere would have a count for each spelling.
create function personal.guess_key(kind text, whom text) returns bytea language sql immutable as $$
    select sha256(convert_to(kind || '/' || lower(whom), 'UTF8'))
$$;

-- Guesses of passwords and codes, by `guess_key`. A guess is counted before it is looked at, so
-- that many at once are counted, too; a right one removes the row.
create table personal.login_failure (
    guessed bytea primary key constraint login_failure_digest check (octet_length(guessed) = 32),
    failures integer not null,
    failed_at timestamptz not null default now(),
    locked_until timestamptz
);
create index login_failure_by_age on personal.login_failure (failed_at);

-- Roles are sets of permissions. `permissions` holds names like `bans.write`.
create table role (
    role text primary key constraint role_shape check (role ~ '^[a-z_]{2,40}$'),
    permissions text[] not null,
    -- Templates come with the product and cannot be changed.
    is_template boolean not null default false
);

insert into role (role, permissions, is_template) values
    ('support', '{users.read,users.notes,bans.read,reports.read,battles.read}', true),
    ('moderator', '{users.read,users.notes,bans.read,bans.write,chat.moderate,reports.read,
        reports.write,battles.read,battles.watch}', true),
    ('operator', '{battles.read,battles.write,battles.watch,servers.read,servers.write,flags.read,
        flags.write,seasons.read,seasons.write,users.read}', true),
    ('finance', '{users.read,audit.read}', true),
    ('administrator', '{*}', true);

create table player_role (
    player_id uuid not null references player,
    role text not null references role,
    granted_by uuid references player,
    granted_at timestamptz not null default now(),
    primary key (player_id, role)
);

-- The one-time link of the first start: whoever opens it becomes the first administrator.
create table personal.first_admin_link (
    only_one boolean primary key default true check (only_one),
    token_hash bytea not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    used_by uuid references player
);

create table ban (
    ban_id uuid primary key,
    player_id uuid not null references player,
    scope text not null constraint ban_scope
        check (scope in ('login', 'chat', 'matchmaking', 'purchase')),
    reason text not null constraint ban_reason_length check (char_length(reason) between 3 and 500),
    issued_by uuid references player,
    issued_at timestamptz not null default now(),
    -- Null: for good.
    expires_at timestamptz constraint ban_expires_later check (expires_at > issued_at),
    lifted_at timestamptz,
    lifted_by uuid references player,
    appeal text not null default 'none' constraint ban_appeal
        check (appeal in ('none', 'open', 'rejected', 'accepted')),
    appeal_text text constraint ban_appeal_length check (char_length(appeal_text) <= 2000),
    -- The battle that shows why; no reference, because bans outlive battles.
    battle_id uuid
);
create index ban_in_force on ban (player_id, scope) where lifted_at is null;

create table personal.staff_note (
    note_id uuid primary key,
    player_id uuid not null references player,
    author uuid not null references player,
    text text not null constraint staff_note_length check (char_length(text) between 1 and 2000),
    written_at timestamptz not null default now()
);
create index staff_note_by_player on personal.staff_note (player_id, written_at desc);
