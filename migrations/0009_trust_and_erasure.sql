-- A battle server is whoever registered first under its name, and proves it; results are held
-- against what is known of their battles.

alter table battle_server
    -- SHA-256 of what the server alone knows and shows when it registers. Null: its program is
    -- older than identities, and shows the fleet's secret only.
    add column identity_hash bytea constraint battle_server_identity
        check (octet_length(identity_hash) = 32),
    -- Epoch under which that identity came. Battles of earlier epochs are another's, who had the
    -- name before.
    add column identity_since bigint not null default 1;

-- When it was first given to a server: it cannot have begun before. Kept when it goes back.
alter table battle add column given_at timestamptz;

-- Results that do not fit what is known of their battles. The battle is finished by them, nobody
-- is rated, and nothing of them is counted.
create table result_review (
    battle_id uuid primary key references battle,
    server_id uuid not null references battle_server,
    -- What does not fit: a code and a sentence each.
    misfits text[] not null,
    -- The result as it was read. Ids, no names.
    result jsonb not null,
    received_at timestamptz not null default now()
);
create index result_review_by_age on result_review (received_at);

-- Whose words a room's name is: who made it, whoever owns it since.
alter table room add column named_by uuid;
update room set named_by = owner;
create function room_named_by() returns trigger language plpgsql as $$
begin
    new.named_by := new.owner;
    return new;
end
$$;
create trigger room_named_by before insert on room for each row execute function room_named_by();
create index room_by_namer on room (named_by);

-- Whom the call and its answer name, by id: with these an answer is forgotten.
alter table idempotency_key add column about uuid[] not null default '{}';
create index idempotency_key_by_about on idempotency_key using gin (about);

-- Where a replay lies: its place is a path on this server.
alter table replay add column server_id uuid references battle_server;
update replay r set server_id = b.server_id from battle b where b.battle_id = r.battle_id;

-- What people wrote into an order is forgotten when the order was carried out.
create function server_order_forget() returns trigger language plpgsql as $$
begin
    new.body := new.body - 'reason' - 'text';
    return new;
end
$$;
create trigger server_order_forget before update of acknowledged_at on server_order
    for each row when (new.acknowledged_at is not null)
    execute function server_order_forget();
update server_order set body = body - 'reason' - 'text' where acknowledged_at is not null;

-- Takes a player's name out of what the product keeps beside the player's own rows, and orders
-- battle servers to take it out of their journals and replays. For erasure.
create function forget_name(player uuid, blank text) returns integer language sql as $$
    update room set name = blank where named_by = player and name <> blank;
    update server_order set body = jsonb_set(body, '{reason}', to_jsonb('erased'::text))
        where body->>'player_id' = player::text and body ? 'reason';
    delete from idempotency_key where about @> array[player];
    -- What was said in the player's battles may name it. Orders that wait are carried out soon.
    with servers as (
        insert into server_order (server_id, kind, body)
        select distinct b.server_id, 'erase', jsonb_build_object('player_id', player)
        from battle_player p join battle b using (battle_id)
        where p.player_id = player and b.server_id is not null
        -- Orders lock their server: always in the same order, so that nobody waits in a circle.
        order by b.server_id
        returning 1
    )
    select count(*)::integer from servers
$$;
