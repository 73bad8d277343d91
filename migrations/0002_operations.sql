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

-- Whether the next rows after one fit the chain: the last one looked at (null: there is none), and
-- the first that does not fit. So many at a time, because a statement has its time.
create function audit_verify(seq_from bigint, rows_max integer, out last bigint, out broken bigint)
language sql stable as $$
    with part as (
        select seq, hash, previous_hash, audit_digest(audit) as digest from audit
        where seq > seq_from order by seq limit rows_max
    ), chained as (
        select seq, hash, previous_hash, digest,
            lag(hash) over (order by seq) as hash_before,
            lag(seq, 1, seq_from) over (order by seq) as seq_before
        from part
    )
    select max(seq), min(seq) filter (where hash <> digest or seq <> seq_before + 1
        or previous_hash is distinct from coalesce(hash_before,
            case seq_from when 0 then sha256('sortie audit'::bytea)
                else (select hash from audit where seq = seq_from) end))
    from chained
$$;

-- The end of the chain moves with each row, and in no other way.
create function audit_head_keep() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.seq = old.seq + 1 then
        return new;
    end if;
    raise exception 'the end of the audit log only moves on'
        using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_head_keep before insert or update or delete on audit_head
    for each row execute function audit_head_keep();
create trigger audit_head_keep_all before truncate on audit_head
    for each statement execute function audit_head_keep();

-- The first row that is missing at the end of the chain, or that stands there and is not its end;
-- null when the last row is what audit_head says.
create function audit_end_broken() returns bigint language sql stable as $$
    with ends as (
        select coalesce(head.seq, -1) as head_seq, coalesce(head.hash, '') as head_hash,
            coalesce(newest.seq, 0) as newest_seq,
            coalesce(newest.hash, sha256('sortie audit'::bytea)) as newest_hash
        from (values (true)) as one (is_one)
        left join audit_head head on true
        left join (select seq, hash from audit order by seq desc limit 1) newest on true
    )
    select case when head_seq <> newest_seq then greatest(least(head_seq, newest_seq), 0) + 1
        when head_hash <> newest_hash then newest_seq end
    from ends
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
