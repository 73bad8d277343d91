-- Seasons, ratings and what changed them, statistics.

create table season (
    season_id integer generated always as identity primary key,
    name text not null constraint season_name_taken unique,
    starts_at timestamptz not null,
    -- Null: it runs until the next one is opened.
    ends_at timestamptz,
    constraint season_ends_later check (ends_at > starts_at)
);
-- Results count in the one season that is open.
create unique index season_one_open on season ((true)) where ends_at is null;
insert into season (name, starts_at) values ('Season 1', '2026-01-01');

-- One row a player, season and mode. Weng-Lin: a mean and how uncertain it is.
create table rating (
    player_id uuid not null references player,
    season_id integer not null references season,
    mode text not null,
    rating double precision not null,
    uncertainty double precision not null check (uncertainty > 0),
    -- rating - 3 * uncertainty, shifted and scaled: what leaderboards order by.
    shown integer not null,
    battles integer not null default 0 check (battles >= 0),
    wins integer not null default 0 check (wins >= 0),
    losses integer not null default 0,
    draws integer not null default 0,
    -- Last ranked battle.
    played_at timestamptz,
    -- When the uncertainty next grows for lack of battles; null: it is as wide as it gets.
    decays_at timestamptz,
    -- Leaderboards outside of Postgres follow this.
    changed_at timestamptz not null default now(),
    primary key (player_id, season_id, mode)
);
-- Who has not fought yet is on no leaderboard.
create index rating_board on rating (season_id, mode, shown desc, player_id) where battles > 0;
create index rating_board_global on rating (season_id, shown desc, player_id) where battles > 0;
create index rating_changed on rating (changed_at) where battles > 0;
create index rating_decaying on rating (decays_at) where decays_at is not null;

-- One row a player and battle, ranked or not.
create table rating_change (
    -- Given out while the player's rating is locked: in its order, before equals after.
    change_id bigint generated always as identity constraint rating_change_in_order unique,
    battle_id uuid not null references battle,
    player_id uuid not null references player,
    season_id integer not null references season,
    mode text not null,
    is_ranked boolean not null,
    -- Why: ranked; or battle_unranked, too_few_players, too_short, left_early, joined_late, guest,
    -- no_result, ...
    reason text not null,
    rating_before double precision not null,
    uncertainty_before double precision not null,
    rating_after double precision not null,
    uncertainty_after double precision not null,
    shown_before integer not null,
    shown_after integer not null,
    at timestamptz not null default now(),
    primary key (battle_id, player_id),
    constraint rating_change_only_ranked check (is_ranked or rating_before = rating_after)
);
create index rating_change_by_player on rating_change (player_id, change_id desc);

-- Sums over all battles of a player, by mode.
create table player_statistics (
    player_id uuid not null references player,
    mode text not null,
    battles integer not null default 0,
    wins integer not null default 0,
    points bigint not null default 0,
    kills bigint not null default 0,
    deaths bigint not null default 0,
    assists bigint not null default 0,
    revives bigint not null default 0,
    captures bigint not null default 0,
    shots bigint not null default 0,
    hits bigint not null default 0,
    seconds_played bigint not null default 0,
    primary key (player_id, mode)
);

create table weapon_statistics (
    player_id uuid not null references player,
    weapon text not null,
    shots bigint not null default 0,
    hits bigint not null default 0,
    kills bigint not null default 0,
    primary key (player_id, weapon)
);
