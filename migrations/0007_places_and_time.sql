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
