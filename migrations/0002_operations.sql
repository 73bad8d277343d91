-- What every service needs beside its own tables: audit, outbox, inbox, idempotency, flags.

-- Append-only and hash-chained: each row's hash covers the row and the hash before it, so that a
-- changed or missing row breaks every later one. The chain is computed here, not in a service:
-- whoever may insert cannot choose the hash.
create table audit_head (
    only_one boolean primary key default true check (only_one),
    seq bigint not null,
    hash bytea not null
);
insert into audit_head (seq, hash) values (0, sha256('sortie audit'::bytea));

create table audit (
    seq bigint primary key,
    at timestamptz not null,
    -- Who acted; null for the product itself.
    actor uuid,
    -- What was called, like `bans.create`.
    action text not null,
    -- done, refused (no permission), failed (bad input or an error)
    outcome text not null constraint audit_outcome check (outcome in ('done', 'refused', 'failed')),
    -- What it was done to, like `player:UUID`.
    target text not null default '',
    before jsonb,
    after jsonb,
    request_id text not null default '',
    previous_hash bytea not null,
    hash bytea not null
);
create index audit_by_actor on audit (actor, seq desc);
create index audit_by_target on audit (target, seq desc);
create index audit_by_action on audit (action, seq desc);

-- The bytes that a row's hash covers.
create function audit_digest(row_ audit) returns bytea language sql immutable as $$
    select sha256(row_.previous_hash || convert_to(concat_ws(E'\x1f',
        row_.seq::text,
        extract(epoch from row_.at)::text,
        coalesce(row_.actor::text, ''),
        row_.action, row_.outcome, row_.target,
        coalesce(row_.before::text, ''),
        coalesce(row_.after::text, ''),
        row_.request_id), 'UTF8'))
$$;

create function audit_chain() returns trigger language plpgsql as $$
declare
    head audit_head;
begin
    -- The lock makes appends wait for each other: a chain has one end.
    select * into head from audit_head for update;
    new.seq := head.seq + 1;
    new.at := clock_timestamp();
    new.previous_hash := head.hash;
    new.hash := audit_digest(new);
    update audit_head set seq = new.seq, hash = new.hash;
    return new;
end
$$;
create trigger audit_chain before insert on audit for each row execute function audit_chain();

create function audit_keep() returns trigger language plpgsql as $$
begin
    raise exception 'audit rows are never changed or removed' using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_keep before update or delete on audit
    for each row execute function audit_keep();
create trigger audit_keep_all before truncate on audit
    for each statement execute function audit_keep();

-- The first row that does not fit the chain; null when all do.
create function audit_first_broken() returns bigint language sql stable as $$
    with chained as (
        select seq, hash, previous_hash, audit_digest(audit) as digest,
            lag(hash, 1, sha256('sortie audit'::bytea)) over (order by seq) as expected,
            lag(seq, 1, 0::bigint) over (order by seq) as previous_seq
        from audit
    )
    select min(seq) from chained
    where hash <> digest or previous_hash <> expected or seq <> previous_seq + 1
$$;

-- What other systems must learn, written in the transaction that makes it true.
create table outbox (
    event_id bigint generated always as identity primary key,
    topic text not null,
    -- Events of one key keep their order.
    key text not null,
    body jsonb not null,
    created_at timestamptz not null default now(),
    sent_at timestamptz
);
create index outbox_unsent on outbox (event_id) where sent_at is null;

-- What was received already: an effect happens once however often its message comes.
create table inbox (
    source text not null,
    message_id text not null,
    received_at timestamptz not null default now(),
    primary key (source, message_id)
);

create table idempotency_key (
    player_id uuid not null,
    key text not null constraint idempotency_key_length check (char_length(key) between 1 and 100),
    -- SHA-256 of method, path and body: the same key for something else is a mistake.
    request_hash bytea not null,
    status smallint,
    answer jsonb,
    created_at timestamptz not null default now(),
    primary key (player_id, key)
);
create index idempotency_key_by_age on idempotency_key (created_at);

create table flag (
    flag text primary key constraint flag_shape check (flag ~ '^[a-z0-9_.]{2,60}$'),
    value jsonb not null,
    about text not null default '',
    changed_at timestamptz not null default now(),
    changed_by uuid references player
);
