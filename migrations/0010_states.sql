-- How rows stand, asked by name. The states of a table are spelled by the crate that owns it, and in
-- migrations; whoever else asks for one in SQL asks a function. Each of these is one expression,
-- which Postgres puts in the place of the call: a query finds the same indexes as with the words.

-- Not over: players may be in it, or come.
create function battle_is_live(state text) returns boolean language sql immutable parallel safe
    as $$ select state in ('asked', 'allocated', 'running') $$;
-- A server has it, or was told to begin it.
create function battle_is_on_server(state text) returns boolean language sql immutable parallel safe
    as $$ select state in ('allocated', 'running') $$;
create function battle_is_asked(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'asked' $$;
create function battle_is_allocated(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'allocated' $$;
create function battle_is_running(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'running' $$;
create function battle_is_finished(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'finished' $$;
create function battle_is_lost(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'lost' $$;

create function server_is_ready(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'ready' $$;
create function server_is_gone(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'gone' $$;

-- It waits in its queue, or its match asks.
create function ticket_is_open(state text) returns boolean language sql immutable parallel safe
    as $$ select state in ('waiting', 'proposed') $$;
create function ticket_is_matched(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'matched' $$;
create function room_is_closed(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'closed' $$;
create function report_is_open(state text) returns boolean language sql immutable parallel safe
    as $$ select state = 'open' $$;

-- An order of a kind that a node does not know gets a new number when others behind it were carried
-- out: it is given as for a new order, under the same lock.
create trigger server_order_renumber before update of order_id on server_order
    for each row execute function server_order_number();
