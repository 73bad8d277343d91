// Plays the part of a game's client with what openapi-typescript made of docs/openapi.json, and
// openapi-fetch, its companion, to call with. `tsc` holds it to the types; node runs it.
// Usage: node play.ts ADDRESS NAME      the types, `sortie-api.ts`, lie beside it
import createClient from "openapi-fetch";
import type { components, paths } from "./sortie-api.ts";

type Schemas = components["schemas"];
declare const process: { argv: string[] };
declare const console: { log(text: string): void };

function assert(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** What was answered, which has to be no refusal. */
function done<T>(answer: { data?: T; error?: unknown }): T {
  assert(answer.data !== undefined, `refused: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

/** The details of a refusal with this code. */
function refused(error: Schemas["ErrorBody"] | undefined, code: string) {
  assert(error?.error.code === code, `not refused with ${code}: ${JSON.stringify(error)}`);
  return error.error.details;
}

// What must not compile: the document says enough that these are mistakes.
export const mistakes: unknown[] = [
  // @ts-expect-error an enum is no free string
  "vanished" satisfies Schemas["TicketState"],
  // @ts-expect-error a request has fields that it needs
  { queue: "conquest", note: 1 } satisfies Schemas["SignUp"],
  // @ts-expect-error details have types
  { ticket_id: 7 } satisfies Schemas["ErrorDetails"],
];

const [address, name] = process.argv.slice(2);
assert(address && name, "usage: play.ts ADDRESS NAME");
const anybody = createClient<paths>({ baseUrl: address });
const account: Schemas["SignUp"] =
  { name, email: `${name}@example.org`, password: "correct horse battery" };
const made = done(await anybody.POST("/v1/accounts", { body: account }));
const headers = { authorization: `Bearer ${made.tokens.access_token}` };
const own = createClient<paths>({ baseUrl: address, headers });
const me: Schemas["Me"] = done(await own.GET("/v1/me"));
assert(me.player_id === made.player.player_id && me.name === name, JSON.stringify(me));

const body: Schemas["CreateTicket"] = { queue: "large" };
const ticket: Schemas["Ticket"] = done(await own.POST("/v1/matchmaking/tickets", { body }));
assert(ticket.state === "waiting", JSON.stringify(ticket));
const again = await own.POST("/v1/matchmaking/tickets", { body });
const details = refused(again.error, "matchmaking.waiting");
assert(details?.ticket_id === ticket.ticket_id, JSON.stringify(details));

const path = { ticket_id: ticket.ticket_id };
const watched = await own.GET("/v1/matchmaking/tickets/{ticket_id}/events",
  { params: { path, query: { for_s: 1 } }, parseAs: "text" });
const told: string = done(watched);
assert(told.startsWith("event: ticket\ndata: {"), told);
await own.DELETE("/v1/matchmaking/tickets/{ticket_id}", { params: { path } });
const ended = done(await own.GET("/v1/matchmaking/tickets/{ticket_id}", { params: { path } }));
assert(ended.state === "cancelled", JSON.stringify(ended));

const battles: Schemas["BattlePage"] =
  done(await own.GET("/v1/battles", { params: { query: { limit: 1 } } }));
const states: Schemas["BattleState"][] = battles.items.map((battle) => battle.state);
const board: Schemas["StandingPage"] =
  done(await own.GET("/v1/leaderboards/{mode}", { params: { path: { mode: "global" } } }));
console.log(`${me.name} queued, was refused with reasons, and read ${states.length} battles` +
  ` and ${board.items.length} places`);
