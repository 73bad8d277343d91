-- Battle servers, the battles on them, and what came of those.

create table battle_server (
    server_id uuid primary key,
    -- What an operator calls it; a server that registers again under its name gets a new epoch.
    name text not null constraint battle_server_name_taken unique
        constraint battle_server_name_shape check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    -- Where clients connect, host:port.
    address text not null,
    -- SHA-256 of its certificate.
    fingerprint bytea not null constraint battle_server_fingerprint
        check (octet_length(fingerprint) = 32),
    version text not null,
    protocol_version integer not null,
    -- Most battles at a time, and most players in one.
    battles_max integer not null check (battles_max between 1 and 64),
    players_max integer not null check (players_max between 1 and 8192),
    -- ready (takes battles), draining (takes none), gone (said goodbye, or its lease ran out)
    state text not null constraint battle_server_state
        check (state in ('ready', 'draining', 'gone')),
    -- Fences a server that was believed dead: orders and reports carry the epoch.
    epoch bigint not null default 1,
    lease_until timestamptz not null,
    -- The newest heartbeat, as it came: players, tick times, regions and their load.
    load jsonb not null default '{}',
    registered_at timestamptz not null default now(),
    -- When its lease was found to have run out; battles are waited for from then on.
    gone_at timestamptz
);
create index battle_server_by_lease on battle_server (lease_until) where state <> 'gone';

-- A battle: one match of one map. The features of "game sessions" and "battles" are one table.
create table battle (
    battle_id uuid primary key,
    mode text not null constraint battle_mode check (mode in ('conquest', 'deathmatch', 'walk')),
    map text not null,
    is_ranked boolean not null,
    players_max integer not null check (players_max between 1 and 8192),
    -- A round is ended after this long, undecided or not.
    duration_s integer constraint battle_duration check (duration_s between 5 and 86400),
    -- asked (no server yet), allocated (a server was ordered to open it), running, finished,
    -- lost (its server is gone for good), cancelled (never ran)
    state text not null default 'asked' constraint battle_state
        check (state in ('asked', 'allocated', 'running', 'finished', 'lost', 'cancelled')),
    server_id uuid references battle_server,
    -- Of the server when it was allocated: a report with an older one is refused.
    server_epoch bigint,
    asked_at timestamptz not null default now(),
    started_at timestamptz,
    ended_at timestamptz,
    -- Winner of the round, 0 or 1; null: a draw, or not over.
    winner smallint check (winner in (0, 1)),
    -- round, duration, stopped, operator
    ended_by text,
    ticks integer,
    state_hash text,
    -- The newest state that its server told, for lists and spectators; of a battle that nobody
    -- has yet, `waiting` says why.
    status jsonb not null default '{}',
    -- When it was given to its server, and when that last told of it.
    allocated_at timestamptz,
    told_at timestamptz,
    -- Servers that were given it and did not begin it.
    tries integer not null default 0,
    constraint battle_is_placed check (state in ('asked', 'cancelled') or server_id is not null)
);
create index battle_live on battle (server_id) where state in ('asked', 'allocated', 'running');
create index battle_waiting on battle (asked_at) where state = 'asked';
create index battle_by_age on battle (asked_at desc, battle_id desc);
create index battle_by_state on battle (state, asked_at desc, battle_id desc);

create table battle_player (
    battle_id uuid not null references battle,
    player_id uuid not null references player,
    team smallint not null check (team in (0, 1)),
    -- Where it came from: match, backfill, room
    came_by text not null default 'match',
    joined_at timestamptz,
    -- Gave up the seat, or left for good: others may have it. Null while it is the player's.
    gone_at timestamptz,
    -- The last departure that the battle's server told of, so that the same one counts once.
    gone_tick integer,
    -- Everything below is reported with the result.
    left_at_tick integer,
    points integer not null default 0,
    kills integer not null default 0,
    deaths integer not null default 0,
    assists integer not null default 0,
    revives integer not null default 0,
    captures integer not null default 0,
    shots integer not null default 0,
    hits integer not null default 0,
    ticks_played integer not null default 0,
    primary key (battle_id, player_id)
);
create index battle_player_by_player on battle_player (player_id, battle_id);

-- What a server is to do. A row stays until the server has acknowledged it.
create table server_order (
    order_id bigint generated always as identity primary key,
    server_id uuid not null references battle_server,
    -- open, admit, kick, message, end, drain
    kind text not null,
    body jsonb not null,
    created_at timestamptz not null default now(),
    acknowledged_at timestamptz
);
create index server_order_open on server_order (server_id, order_id) where acknowledged_at is null;

-- A server acknowledges all orders up to a number, so the orders of one server have to become
-- visible in the order of their numbers: whoever inserts one waits for the others that do.
create function server_order_number() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(new.server_id::text, 3));
    new.order_id := nextval(pg_get_serial_sequence('server_order', 'order_id'));
    return new;
end
$$;
create trigger server_order_number before insert on server_order
    for each row execute function server_order_number();

-- Tells every node that is connected to the server to look for orders.
create function server_order_notify() returns trigger language plpgsql as $$
begin
    perform pg_notify('server_order', new.server_id::text);
    return null;
end
$$;
create trigger server_order_notify after insert on server_order
    for each row execute function server_order_notify();

-- Events of battles worth keeping: partitioned by month, so that old ones are dropped whole.
create table battle_log (
    battle_id uuid not null,
    tick integer not null,
    -- Order among the events of a tick.
    place integer not null,
    kind text not null,
    body jsonb not null,
    at timestamptz not null,
    primary key (battle_id, tick, place, at)
) partition by range (at);
create table battle_log_rest partition of battle_log default;

-- Makes the partition of a month, if it is not there. Events of a month that nobody prepared lie
-- in the default partition, and stay there.
create function battle_log_partition(month date) returns void language plpgsql as $$
declare
    first date := date_trunc('month', month)::date;
    name text := 'battle_log_' || to_char(first, 'YYYY_MM');
begin
    execute format('create table if not exists %I partition of battle_log for values from (%L) to (%L)',
        name, first, (first + interval '1 month')::date);
exception when check_violation then
    null;
end
$$;
-- Drops the partitions of months that ended before this; says how many.
create function battle_log_expire(before timestamptz) returns integer language plpgsql as $$
declare
    old record;
    dropped integer := 0;
begin
    for old in
        select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'battle_log'::regclass and c.relname ~ '^battle_log_[0-9]{4}_[0-9]{2}$'
            and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= before
    loop
        execute format('drop table %I', old.name);
        dropped := dropped + 1;
    end loop;
    delete from battle_log_rest where at < before;
    return dropped;
end
$$;
select battle_log_partition(current_date);
select battle_log_partition((current_date + interval '1 month')::date);

create table replay (
    battle_id uuid primary key references battle,
    -- Where it lies: a path on the battle server, or an object's name.
    place text not null,
    bytes bigint not null check (bytes >= 0),
    stored_at timestamptz not null default now(),
    expires_at timestamptz
);

-- Orders the servers of all battles that a player is in to end that stay. For bans and erasure.
create function kick_player(player uuid, why text) returns integer language sql as $$
    with kicked as (
        insert into server_order (server_id, kind, body)
        select b.server_id, 'kick',
            jsonb_build_object('battle_id', b.battle_id, 'player_id', player, 'reason', why)
        from battle_player p join battle b using (battle_id)
        where p.player_id = player and b.state in ('allocated', 'running')
        -- Orders lock their server: always in the same order, so that nobody waits in a circle.
        order by b.server_id
        returning 1
    )
    select count(*)::integer from kicked
$$;
