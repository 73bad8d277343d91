-- A season is open before ratings are carried into it: a million of them in the transaction that
-- opens it would hold up results and logins for as long. A row stands here from when a season is
-- opened until the last rating is in it; a player who has none in the season yet may have one in
-- `from_season`.
create table season_carrying (
    season_id integer primary key references season,
    from_season integer not null references season,
    -- The last rating that was carried; they come in the order of player and mode.
    player_id uuid not null default '00000000-0000-0000-0000-000000000000',
    mode text not null default ''
);
