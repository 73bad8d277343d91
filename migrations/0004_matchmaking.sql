-- Parties, tickets and rooms: how players come to battles.

create table party (
    party_id uuid primary key,
    leader uuid not null references player,
    -- What others type to join.
    code text not null constraint party_code_taken unique
        constraint party_code_shape check (code ~ '^[A-Z2-9]{6}$'),
    created_at timestamptz not null default now()
);

create table party_member (
    -- A player is in one party at a time.
    player_id uuid primary key references player,
    party_id uuid not null references party on delete cascade,
    joined_at timestamptz not null default now()
);
create index party_member_by_party on party_member (party_id);

-- A party (or one player) that waits for a battle. Not a join ticket, which admits to one.
create table ticket (
    ticket_id uuid primary key,
    party_id uuid,
    queue text not null,
    -- waiting, proposed (in a match that asks everyone), matched, cancelled, expired
    state text not null default 'waiting' constraint ticket_state
        check (state in ('waiting', 'proposed', 'matched', 'cancelled', 'expired')),
    created_at timestamptz not null default now(),
    -- Renewed while its owner asks for it; an owner who does not is gone.
    expires_at timestamptz not null,
    -- Mean of the members when it was made, and how sure that is.
    rating real not null,
    deviation real not null,
    size integer not null check (size between 1 and 8),
    match_id uuid,
    battle_id uuid references battle,
    -- Why it ended, or what it waits for; shown to its owner.
    why text not null default ''
);
create index ticket_waiting on ticket (queue, created_at) where state = 'waiting';
create index ticket_by_match on ticket (match_id) where match_id is not null;

create table ticket_player (
    ticket_id uuid not null references ticket on delete cascade,
    player_id uuid not null references player,
    rating real not null,
    deviation real not null,
    team smallint check (team in (0, 1)),
    primary key (ticket_id, player_id)
);
create index ticket_player_by_player on ticket_player (player_id);

-- A player waits in one queue at a time: rows live as long as the ticket is open.
create table ticket_open (
    player_id uuid primary key constraint ticket_player_waits_already references player,
    ticket_id uuid not null references ticket on delete cascade
);
create index ticket_open_by_ticket on ticket_open (ticket_id);

-- A proposed battle: everyone has to say yes in time.
create table match_proposal (
    match_id uuid primary key,
    queue text not null,
    -- asking, accepted, failed
    state text not null default 'asking' constraint match_state
        check (state in ('asking', 'accepted', 'failed')),
    created_at timestamptz not null default now(),
    answer_by timestamptz not null,
    -- Chance that team 0 wins, as predicted when it was made.
    win_chance real not null,
    battle_id uuid references battle
);
create index match_asking on match_proposal (answer_by) where state = 'asking';

create table match_answer (
    match_id uuid not null references match_proposal on delete cascade,
    player_id uuid not null references player,
    -- Null: not answered yet.
    accepted boolean,
    primary key (match_id, player_id)
);

-- Takes tickets out of the queues. Matches that were asking for one of them fail, and the others
-- in these wait on with the age that they had. For whoever cancels, leaves, is banned or erased.
create function withdraw_tickets(
    which uuid[], reason text, out withdrawn integer, out failed integer
) language plpgsql as $$
declare
    asking uuid[];
    ended uuid[];
begin
    -- Matches are locked before tickets, by everybody. A ticket that got into another match in
    -- between is let go again, and that match is locked first.
    for attempt in 1..20 loop
        select coalesce(array_agg(match_id), '{}') into asking from (
            select m.match_id from match_proposal m
            where m.state = 'asking' and m.match_id in (
                select t.match_id from ticket t
                where t.ticket_id = any(which) and t.state = 'proposed')
            order by m.match_id for update
        ) as locked;
        begin
            perform from ticket t where t.ticket_id = any(which) order by t.ticket_id for update;
            exit when attempt = 20 or not exists (
                select from ticket t join match_proposal m using (match_id)
                where t.ticket_id = any(which) and t.state = 'proposed' and m.state = 'asking'
                    and m.match_id <> all(asking));
            raise exception 'a ticket is in another match by now' using errcode = 'SO001';
        exception when sqlstate 'SO001' then
            null;
        end;
    end loop;
    with changed as (
        update ticket t set state = 'cancelled', why = reason
        where t.ticket_id = any(which) and t.state in ('waiting', 'proposed')
        returning t.ticket_id
    )
    select coalesce(array_agg(ticket_id), '{}') into ended from changed;
    delete from ticket_open o where o.ticket_id = any(ended);
    update match_proposal m set state = 'failed' where m.match_id = any(asking);
    with back as (
        update ticket t set state = 'waiting', match_id = null,
            why = 'another player was not ready; you keep your place'
        where t.match_id = any(asking) and t.state = 'proposed'
        returning t.ticket_id
    )
    update ticket_player p set team = null from back where p.ticket_id = back.ticket_id;
    withdrawn := cardinality(ended);
    failed := cardinality(asking);
end
$$;

-- The same with whatever a player waits with, alone or in a party.
create function withdraw_player(player uuid, reason text) returns integer language sql as $$
    select withdrawn from withdraw_tickets(
        array(select ticket_id from ticket_open where player_id = player), reason)
$$;

-- A battle that a queue made: it may be filled up, and says how even it was meant to be.
create table queue_battle (
    battle_id uuid primary key references battle,
    queue text not null,
    made_at timestamptz not null,
    -- Chance that team 0 wins, as predicted when it was made.
    win_chance real not null,
    -- False once it is over or too old: nobody is sent into it any more.
    is_open boolean not null default true
);
create index queue_battle_open on queue_battle (queue) where is_open;

create table room (
    room_id uuid primary key,
    code text not null constraint room_code_taken unique
        constraint room_code_shape check (code ~ '^[A-Z2-9]{6}$'),
    owner uuid not null references player,
    name text not null constraint room_name_length check (char_length(name) between 1 and 60),
    mode text not null,
    map text not null,
    players_max integer not null check (players_max between 2 and 2048),
    -- Null: until the round is over.
    duration_s integer constraint room_duration check (duration_s between 5 and 86400),
    is_public boolean not null default true,
    -- open, started, closed
    state text not null default 'open' constraint room_state
        check (state in ('open', 'started', 'closed')),
    battle_id uuid references battle,
    created_at timestamptz not null default now(),
    closed_at timestamptz
);
create index room_open on room (created_at desc, room_id) where state <> 'closed';

create table room_player (
    player_id uuid primary key references player,
    room_id uuid not null references room on delete cascade,
    team smallint check (team in (0, 1)),
    joined_at timestamptz not null default now()
);
create index room_player_by_room on room_player (room_id);
