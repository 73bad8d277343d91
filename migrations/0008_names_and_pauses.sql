-- What names look like, who pauses, which messages came again, and the end of the audit log.

-- Services compute the look of a name (UTS 39: a skeleton), because Postgres has no table of what
-- looks like what. Names from before this table get theirs after the migration, oldest player
-- first; those that look like an older player's have `like_player` in its place: that list is for
-- staff, and such names stay until they are changed.
create table name_look (
    player_id uuid primary key references player on delete cascade,
    look text constraint name_look_taken unique,
    like_player uuid references player on delete cascade,
    constraint name_look_or_like check ((look is null) <> (like_player is null))
);
create index name_look_like on name_look (like_player) where like_player is not null;

-- A look goes with its name, whoever changes that: erasure as well. What looked like it is looked
-- at again.
create function name_look_forget() returns trigger language plpgsql as $$
begin
    delete from name_look where player_id = new.player_id or like_player = new.player_id;
    return null;
end
$$;
create trigger name_look_forget after update of name on player
    for each row when (old.name is distinct from new.name) execute function name_look_forget();

-- Who declined ready checks or let them pass, and until when such a player may not queue.
create table queue_pause (
    player_id uuid primary key references player on delete cascade,
    -- Ready checks that failed because of the player or its party, until an hour without one.
    declines integer not null check (declines > 0),
    declined_at timestamptz not null,
    until timestamptz not null
);
create index queue_pause_by_age on queue_pause (declined_at);

-- Tells a message that a client sends again from a new one: a number that the client chose for
-- it. A socket that broke before the answer came leaves the client without knowing.
alter table chat_message add column client_id uuid;
create unique index chat_message_once on chat_message (author, client_id)
    where client_id is not null;

-- The end of the audit log moves with a row, and to nothing but that row: whoever may write to
-- `audit_head` could otherwise move it by hand, one step at a time, and make the log look cut.
-- Looked at when the transaction ends, because the end moves before its row is there.
create function audit_head_is_row() returns trigger language plpgsql as $$
begin
    if not exists (select from audit where seq = new.seq and hash = new.hash) then
        raise exception 'the end of the audit log only moves on with a row of it'
            using errcode = 'insufficient_privilege';
    end if;
    return null;
end
$$;
create constraint trigger audit_head_is_row after update on audit_head
    deferrable initially deferred for each row execute function audit_head_is_row();
