-- Channels, messages, and what is done about bad ones.

create table chat_channel (
    channel_id uuid primary key,
    -- global, team, squad, party, whisper, battle
    kind text not null constraint chat_channel_kind
        check (kind in ('global', 'team', 'squad', 'party', 'whisper', 'battle')),
    -- What the kind is about: '' for global, a battle's or party's id, 'BATTLE.TEAM',
    -- 'BATTLE.TEAM.SQUAD', two player ids in order for a whisper, 'LOW.HIGH'.
    about text not null,
    created_at timestamptz not null default now(),
    -- Least seconds between two messages of one player; 0: no slow mode.
    slow_mode_s integer not null default 0 check (slow_mode_s between 0 and 3600),
    constraint chat_channel_taken unique (kind, about)
);
insert into chat_channel (channel_id, kind, about)
    values ('00000000-0000-7000-8000-000000000001', 'global', '');

-- Who whispers in which channel: to find what somebody missed without reading all channels.
create table chat_whisper (
    player_id uuid not null references player,
    channel_id uuid not null references chat_channel on delete cascade,
    primary key (player_id, channel_id)
);

create table chat_message (
    -- UUIDv7 made where it was said: order of time, and the cursor of the history.
    message_id uuid primary key,
    channel_id uuid not null references chat_channel,
    author uuid not null references player,
    text text not null constraint chat_message_length check (char_length(text) between 1 and 500),
    said_at timestamptz not null,
    edited_at timestamptz,
    deleted_at timestamptz,
    deleted_by uuid references player
);
create index chat_message_by_channel on chat_message (channel_id, message_id desc);
create index chat_message_by_author on chat_message (author, message_id desc);

-- What one player does not want to read of another.
create table chat_mute (
    player_id uuid not null references player,
    muted uuid not null references player,
    since timestamptz not null default now(),
    primary key (player_id, muted),
    constraint chat_mute_other check (player_id <> muted)
);

-- Somebody or something was bad. Of a message, of behaviour in a battle, or of both.
create table report (
    report_id uuid primary key,
    reporter uuid not null references player,
    accused uuid not null references player,
    kind text not null constraint report_kind check (kind in ('chat', 'cheating', 'behaviour')),
    text text not null default '' constraint report_length check (char_length(text) <= 1000),
    message_id uuid references chat_message,
    battle_id uuid,
    tick integer,
    created_at timestamptz not null default now(),
    state text not null default 'open' constraint report_state
        check (state in ('open', 'upheld', 'dismissed')),
    decided_by uuid references player,
    decided_at timestamptz,
    constraint report_other check (reporter <> accused),
    -- Null for reports that are not of a message, and nulls are never equal.
    constraint report_once unique (reporter, message_id)
);
-- Of a battle, each player once.
create unique index report_once_a_battle on report (reporter, accused, battle_id)
    where message_id is null and battle_id is not null;
create index report_open on report (created_at) where state = 'open';
create index report_by_accused on report (accused, created_at desc);
-- Messages that were reported are kept.
create index report_by_message on report (message_id) where message_id is not null;

-- The filter is data: a word, and what happens to a message that has it.
create table chat_word (
    word text primary key constraint chat_word_shape check (word = lower(word)),
    effect text not null default 'mask' constraint chat_word_effect
        check (effect in ('mask', 'refuse'))
);
