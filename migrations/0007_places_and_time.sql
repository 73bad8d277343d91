-- Where a player is, and what the time is: decided here, for all nodes alike.

-- Where a player is. A player waits in a queue, or sits in a room that is open, or has a seat in a
-- battle that is not over; never two of them. What a started room's players are in is its battle.
create view whereabouts as
    select player_id, 'queue' as kind, ticket_id as place_id from ticket_open
    union all
    select p.player_id, 'room', p.room_id from room_player p join room using (room_id)
    where room.state = 'open'
    union all
    select p.player_id, 'battle', p.battle_id from battle_player p join battle b using (battle_id)
    where p.gone_at is null and b.state in ('asked', 'allocated', 'running');

-- Whoever brings players to a place, or into a party, holds this lock of each of them until its
-- transaction ends: of several who try at once, the later ones see what the first has done. Locks
-- are taken in one order, so that nobody waits in a circle; a party or room is locked before, and
-- tickets after. From a place to the next (a match, the start of a room) no lock is needed: the
-- place that is left is held until the new one can be seen.
create function claim_players(players uuid[]) returns void language plpgsql as $$
declare
    lock bigint;
begin
    for lock in
        select distinct hashtextextended(player::text, 8) as key from unnest(players) as player
        order by key
    loop
        perform pg_advisory_xact_lock(lock);
    end loop;
end
$$;

-- Gives up the seats of players in battles whose server is gone: they hold nobody. Should the
-- server come back, it is told, so that nobody plays in two battles.
create function leave_lost_battles(players uuid[]) returns integer language sql as $$
    with given_up as (
        update battle_player p set gone_at = clock_timestamp()
        from battle b join battle_server s using (server_id)
        where p.player_id = any(players) and p.gone_at is null and b.battle_id = p.battle_id
            and b.state in ('asked', 'allocated', 'running') and s.state = 'gone'
        returning b.server_id, p.battle_id, p.player_id
    ), told as (
        insert into server_order (server_id, kind, body)
        select server_id, 'kick', jsonb_build_object('battle_id', battle_id,
            'player_id', player_id, 'reason', 'you went elsewhere while the server was away')
        from given_up order by server_id
        returning 1
    )
    select count(*)::integer from told
$$;

-- An id of the time (UUIDv7, RFC 9562): milliseconds, then a part of the next one, then `noise`, a
-- random UUID. Where several nodes write, ids made here are in the order of one clock.
create function uuid_at(at timestamptz, noise uuid) returns uuid language sql immutable as $$
    select (lpad(to_hex(us / 1000), 12, '0') || '7' || lpad(to_hex(us % 1000 * 4), 3, '0')
        || right(replace(noise::text, '-', ''), 16))::uuid
    from (select floor(extract(epoch from at) * 1000000)::bigint as us) as since
$$;

-- A row that nodes write to, to see whether writing works.
create table write_probe (
    only_one boolean primary key default true check (only_one),
    at timestamptz not null
);
insert into write_probe (at) values (now());

-- How often ratings have changed: each change of a row takes the next number. A leaderboard outside
-- of Postgres that knows the last number it has is told apart from one that is older.
create sequence rating_version;
alter table rating add column version bigint not null default nextval('rating_version');
create function rating_version() returns trigger language plpgsql as $$
begin
    new.version := nextval('rating_version');
    return new;
end
$$;
create trigger rating_version before update on rating
    for each row execute function rating_version();
create index rating_by_version on rating (season_id, version) where battles > 0;

-- What others keep of a player for as long as a connection lasts (name, roles, bans, logins, mutes,
-- party, team) is read again within a second of its change: whoever changes it, in whatever way,
-- these tell of it at the commit. Nothing but the player's id is told: what became of it, the
-- listener reads here.
create function player_changed() returns trigger language plpgsql as $$
declare
    changed jsonb := to_jsonb(coalesce(new, old));
begin
    if tg_table_name = 'role' then
        perform pg_notify('player_changed', player_id::text) from player_role
        where role = changed->>'role';
    else
        perform pg_notify('player_changed', changed->>'player_id');
    end if;
    return null;
end
$$;
create trigger player_changed after update on player for each row
    when (old.name is distinct from new.name or old.erased_at is distinct from new.erased_at)
    execute function player_changed();
create trigger player_changed after insert or delete on player_role for each row
    execute function player_changed();
create trigger player_changed after update on role for each row
    when (old.permissions is distinct from new.permissions) execute function player_changed();
create trigger player_changed after insert or update on ban for each row
    execute function player_changed();
create trigger player_changed after update on personal.login_session for each row
    when (old.revoked_at is distinct from new.revoked_at) execute function player_changed();
create trigger player_left after delete on personal.login_session for each row
    when (old.revoked_at is null) execute function player_changed();
create trigger player_changed after insert or delete on chat_mute for each row
    execute function player_changed();
create trigger player_changed after insert or delete on party_member for each row
    execute function player_changed();
create trigger player_changed after update on battle_player for each row
    when (old.team is distinct from new.team) execute function player_changed();
