"""Plays the part of a game's client with what openapi-python-client made of docs/openapi.json.

Usage: play.py ADDRESS NAME      the client, `sortie_api`, is where Python finds it
"""
import sys

from sortie_api import AuthenticatedClient, Client
from sortie_api.api.account import get_me, sign_up
from sortie_api.api.battles import list_battles
from sortie_api.api.matchmaking import cancel_ticket, create_ticket, get_ticket, watch_ticket
from sortie_api.api.ranking import get_leaderboard
from sortie_api.models import (BattleState, BattlePage, CreateTicket, ErrorBody, LeaderboardName,
                               LoggedIn, Me, SignUp, StandingPage, Ticket, TicketState)


def of(kind, value):
    """The value, which has to be of this type."""
    assert isinstance(value, kind), f"{value} is no {kind.__name__}"
    return value


def refused(answer, code):
    """The details of a refusal with this code."""
    error = of(ErrorBody, answer).error
    assert error.code == code, error
    return error.details


def main(address, name):
    anybody = Client(base_url=address, raise_on_unexpected_status=True)
    account = SignUp(name=name, email=f"{name}@example.org", password="correct horse battery")
    made = of(LoggedIn, sign_up.sync(client=anybody, body=account))
    own = AuthenticatedClient(base_url=address, token=made.tokens.access_token,
                              raise_on_unexpected_status=True)
    me = of(Me, get_me.sync(client=own))
    assert (me.player_id, me.name, me.is_guest) == (made.player.player_id, name, False), me

    # Enums are enums, ids are ids, times are times.
    queue = CreateTicket(queue="large")
    ticket = of(Ticket, create_ticket.sync(client=own, body=queue))
    assert ticket.state is TicketState.WAITING and ticket.expires_at > ticket.created_at, ticket
    again = create_ticket.sync(client=own, body=queue)
    details = refused(again, "matchmaking.waiting")
    assert details.ticket_id == ticket.ticket_id and details.player_id == me.player_id, details
    wrong = create_ticket.sync(client=own, body=CreateTicket(queue="no-such"))
    assert refused(wrong, "matchmaking.unknown_queue") is None

    told = of(str, watch_ticket.sync(ticket.ticket_id, client=own, for_s=1))
    assert told.startswith("event: ticket\ndata: {") and str(ticket.ticket_id) in told, told
    assert cancel_ticket.sync_detailed(ticket.ticket_id, client=own).status_code == 204
    ended = of(Ticket, get_ticket.sync(ticket.ticket_id, client=own))
    assert ended.state is TicketState.CANCELLED, ended

    # Pages have names, and their rows are the same type as elsewhere.
    battles = of(BattlePage, list_battles.sync(client=own, limit=1))
    for battle in battles.items:
        assert isinstance(battle.state, BattleState), battle
    board = get_leaderboard.sync(LeaderboardName.GLOBAL, client=own, limit=5)
    of(StandingPage, board)
    print(f"{me.name} queued, was refused with reasons, and read {len(battles.items)} battles")


main(*sys.argv[1:])
