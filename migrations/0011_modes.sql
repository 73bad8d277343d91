-- What a game mode is called is said by one enum (`proto/rpc/src/mode.rs`), by which nodes judge what
-- is asked for: a new mode needs no migration. Here its shape is bounded, and a node reads what a
-- newer one has written.
alter table battle drop constraint battle_mode;
-- All rows fit, because the constraint before was stricter: nobody waits while they are looked at.
alter table battle add constraint battle_mode
    check (mode ~ '^[a-z][a-z0-9_]{0,31}$') not valid;
