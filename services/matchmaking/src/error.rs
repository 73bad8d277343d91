//! What can go wrong in matchmaking, before any transport is chosen.

use std::time::Duration;

use axum::http::StatusCode;
use sortie_battles::state::BattleState;
use sortie_control::details::Details;
use sortie_control::error::{ApiError, broken_constraint};
use sortie_whereabouts::{Place, PlaceError};
use time::OffsetDateTime;
use uuid::Uuid;

/// Why matchmaking refuses.
#[derive(Debug, thiserror::Error)]
pub enum MatchmakingError {
    /// Of a party that the caller is not in.
    #[error("you are in no party")]
    NoParty,
    /// The caller has to leave first.
    #[error("you are in a party already; leave it first")]
    InParty,
    /// The code opens nothing.
    #[error("no party has this code")]
    UnknownCode,
    /// Eight are in it.
    #[error("the party is full")]
    PartyFull,
    /// Only the leader may.
    #[error("only the leader of the party may do this")]
    NotLeader,
    /// Who should be kicked or lead is somewhere else.
    #[error("this player is not in your party")]
    NotMember,
    /// The leader has to cancel the ticket first.
    #[error("the party waits for a battle; cancel its ticket first")]
    PartyWaits,
    /// Again and again, while it queued.
    #[error("the party changes too often; try again")]
    PartyChanged,
    /// Of a player who has erased the account.
    #[error("a player is no more")]
    Erased,
    /// Staff have closed them.
    #[error("the queues take nobody at the moment")]
    Closed,
    /// No such queue.
    #[error("there is no such queue; there are {0}")]
    UnknownQueue(String),
    /// The queue's teams are smaller than the party.
    #[error("the queue takes parties of up to {0}")]
    PartyTooLarge(u32),
    /// Someone of the party waits already.
    #[error("a member of the party waits already")]
    WaitsAlready {
        /// The member who waits.
        player_id: Uuid,
        /// With which ticket.
        ticket_id: Uuid,
    },
    /// Someone of the party sits in a room.
    #[error("a member of the party is in a room")]
    InRoom(Uuid),
    /// Someone of the party has a seat in a battle that is not over.
    #[error(
        "a member of the party is in a battle: join it again, or leave it first; if the battle is \
         over or is ending, try again in a second"
    )]
    InBattle {
        /// The member who has a seat in a battle.
        player_id: Uuid,
        /// Which battle.
        battle_id: Uuid,
    },
    /// Left, and others have all seats of the team by now.
    #[error("your seat was given to another player")]
    SeatTaken,
    /// Someone declined ready checks, or let them pass.
    #[error("a player declined ready checks and may not queue for a while")]
    Paused {
        /// The member who declined.
        player_id: Uuid,
        /// Until when.
        until: OffsetDateTime,
        /// How often.
        declines: i32,
        /// Until then from now.
        wait: Duration,
    },
    /// Someone is banned.
    #[error("a player is banned from matchmaking")]
    Banned(Ban),
    /// Not the caller's, or not there at all.
    #[error("you have no such ticket")]
    UnknownTicket,
    /// Too late to cancel.
    #[error("the ticket is {0} already")]
    TicketOver(String),
    /// Not the caller's, or not there at all.
    #[error("nobody asks you about this match")]
    UnknownProposal,
    /// Too late to answer.
    #[error("this match is decided already")]
    ProposalOver,
    /// The player watches with too many already.
    #[error("you have too many streams open; close one")]
    TooManyStreams,
    /// The node has too many.
    #[error("this node has no room for another stream; ask for the ticket instead")]
    StreamsFull,
    /// No such battle.
    #[error("there is no such battle")]
    UnknownBattle,
    /// The caller is not meant to be in it.
    #[error("you are not a player of this battle")]
    NotInBattle,
    /// It waits for a server, or the server opens it.
    #[error("the battle is not running yet; try again soon")]
    NotRunning,
    /// The server lost its lease; it may come back.
    #[error("the battle's server is away; try again soon")]
    ServerAway,
    /// Finished, lost or cancelled.
    #[error("the battle is over: {0}")]
    BattleOver(String),
    /// It never ran; why, if that is known.
    #[error("the battle was cancelled")]
    BattleCancelled(Option<String>),
    /// No such room, or closed.
    #[error("there is no such room")]
    UnknownRoom,
    /// Only its owner may.
    #[error("only the owner of the room may do this")]
    NotOwner,
    /// It was started, or closed.
    #[error("the room is {0}")]
    RoomNotOpen(String),
    /// Every seat is taken.
    #[error("the room is full")]
    RoomFull,
    /// A battle needs two.
    #[error("a battle needs at least two players")]
    TooFew,
    /// Another battle goes on, with one of the players.
    #[error("another battle is not over yet; leave it first")]
    InRoomBattle {
        /// The player who has a seat in another battle.
        player_id: Uuid,
        /// The battle that goes on.
        battle_id: Uuid,
    },
    /// Longer than the installation lets rooms last, or too short.
    #[error("duration_s is 5 to {0}")]
    RoomDuration(u32),
    /// A request's value is out of bounds.
    #[error("{0}")]
    BadValue(&'static str),
    /// The caller sits in a room, or in another one.
    #[error("you are in a room already; leave it first")]
    SitsInRoom,
    /// All codes that were tried are taken.
    #[error("no free code was found; try again")]
    NoCode,
    /// The database failed.
    #[error("the database failed")]
    Database(sqlx::Error),
}

/// A ban in force.
#[derive(Debug)]
pub struct Ban {
    /// Who is banned: the caller, or another of the party.
    pub player_id: Uuid,
    /// `login` or `matchmaking`.
    pub scope: String,
    /// Why; told to the banned player only.
    pub reason: Option<String>,
    /// `None`: for good.
    pub expires_at: Option<OffsetDateTime>,
}

impl From<sqlx::Error> for MatchmakingError {
    fn from(error: sqlx::Error) -> Self {
        match broken_constraint(&error) {
            Some("party_member_pkey") => Self::InParty,
            Some("room_player_pkey") => Self::SitsInRoom,
            Some("party_code_taken" | "room_code_taken") => Self::NoCode,
            _ => Self::Database(error),
        }
    }
}

impl From<PlaceError> for MatchmakingError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Elsewhere { player_id, place: Place::Queue(ticket_id) } => {
                Self::WaitsAlready { player_id, ticket_id }
            }
            PlaceError::Elsewhere { player_id, place: Place::Room(_) } => Self::InRoom(player_id),
            PlaceError::Elsewhere { player_id, place: Place::Battle(battle_id) } => {
                Self::InBattle { player_id, battle_id }
            }
            PlaceError::PartyChanged => Self::PartyChanged,
            PlaceError::SeatTaken => Self::SeatTaken,
            PlaceError::Erased => Self::Erased,
            PlaceError::Database(error) => error.into(),
        }
    }
}

impl From<MatchmakingError> for ApiError {
    fn from(error: MatchmakingError) -> Self {
        use MatchmakingError as E;
        let message = error.to_string();
        match error {
            E::NoParty => Self::not_found("party.none", message),
            E::InParty => Self::conflict("party.in_another", message),
            E::UnknownCode => Self::not_found("party.unknown_code", message),
            E::PartyFull => Self::conflict("party.full", message),
            E::RoomFull => Self::conflict("room.full", message),
            E::NotLeader => Self::forbidden("party.not_leader", message),
            E::NotMember => Self::not_found("party.not_member", message),
            E::PartyWaits => Self::conflict("party.waiting", message),
            E::PartyChanged => Self::unavailable("party.changed", message),
            E::Erased => Self::unauthenticated("auth.revoked", message),
            E::Closed => Self::conflict("matchmaking.closed", message),
            E::UnknownQueue(_) => Self::not_found("matchmaking.unknown_queue", message),
            E::PartyTooLarge(most) => Self::invalid("matchmaking.party_too_large", message)
                .with_details(Details { most: Some(most), ..Details::default() }),
            E::WaitsAlready { player_id, ticket_id } => {
                let ticket_id = Some(ticket_id);
                Self::conflict("matchmaking.waiting", message)
                    .with_details(Details { ticket_id, ..of_player(player_id) })
            }
            E::InRoom(player_id) => {
                Self::conflict("matchmaking.in_room", message).with_details(of_player(player_id))
            }
            E::InBattle { player_id, battle_id } => {
                let battle_id = Some(battle_id);
                // A battle's end is told by its server a moment after its players have seen it.
                Self::conflict("matchmaking.in_battle", message)
                    .with_details(Details { battle_id, ..of_player(player_id) })
                    .with_retry_after(Duration::from_secs(1))
            }
            E::SeatTaken => Self::new(StatusCode::GONE, "battle.seat_taken", message),
            E::Banned(ban) => {
                let Ban { player_id, scope, reason, expires_at } = ban;
                let scope = Some(scope);
                let details = Details { scope, reason, expires_at, ..of_player(player_id) };
                Self::forbidden("matchmaking.banned", message).with_details(details)
            }
            E::Paused { player_id, until, declines, wait } => {
                let (until, declines) = (Some(until), Some(declines));
                let details = Details { until, declines, ..of_player(player_id) };
                Self::new(StatusCode::TOO_MANY_REQUESTS, "matchmaking.paused", message)
                    .with_details(details)
                    .with_retry_after(wait)
            }
            E::UnknownTicket => Self::not_found("matchmaking.unknown_ticket", message),
            E::TicketOver(state) => {
                Self::conflict("matchmaking.ticket_over", message).with_details(ended(state))
            }
            E::TooManyStreams => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "matchmaking.too_many_streams", message)
                    .with_retry_after(Duration::from_secs(1))
            }
            E::StreamsFull => Self::unavailable("matchmaking.streams_full", message),
            E::UnknownProposal => Self::not_found("matchmaking.unknown_proposal", message),
            E::ProposalOver => Self::conflict("matchmaking.proposal_over", message),
            E::UnknownBattle => Self::not_found("battle.unknown", message),
            E::NotInBattle => Self::forbidden("battle.not_a_player", message),
            E::NotRunning => Self::conflict("battle.not_running", message),
            E::ServerAway => Self::unavailable("battle.server_away", message),
            E::BattleOver(state) => {
                Self::new(StatusCode::GONE, over_code(&state), message).with_details(ended(state))
            }
            E::BattleCancelled(why) => {
                Self::new(StatusCode::GONE, over_code(BattleState::Cancelled.name()), message)
                    .with_details(Details { why, ..ended("cancelled".to_owned()) })
            }
            E::UnknownRoom => Self::not_found("room.unknown", message),
            E::NotOwner => Self::forbidden("room.not_owner", message),
            E::RoomNotOpen(state) => {
                Self::conflict("room.not_open", message).with_details(ended(state))
            }
            E::TooFew => Self::conflict("room.too_few", message),
            E::InRoomBattle { player_id, battle_id } => Self::conflict("room.in_battle", message)
                .with_details(Details { battle_id: Some(battle_id), ..of_player(player_id) }),
            E::BadValue(_) | E::RoomDuration(_) => Self::invalid("request.fields", message),
            E::SitsInRoom => Self::conflict("room.in_another", message),
            E::NoCode => Self::unavailable("party.no_code", message),
            E::Database(error) => error.into(),
        }
    }
}

fn of_player(player_id: Uuid) -> Details {
    Details { player_id: Some(player_id), ..Details::default() }
}

fn ended(state: String) -> Details {
    Details { state: Some(state), ..Details::default() }
}

fn over_code(state: &str) -> &'static str {
    match BattleState::of_name(state) {
        Some(BattleState::Finished) => "battle.finished",
        Some(BattleState::Lost) => "battle.lost",
        _ => "battle.cancelled",
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn who_has_a_seat_in_a_battle_that_ends_is_told_when_to_try_again() {
        let error = MatchmakingError::InBattle { player_id: Uuid::nil(), battle_id: Uuid::nil() };
        let answer = ApiError::from(error).into_response();
        assert_eq!(answer.status(), StatusCode::CONFLICT);
        assert_eq!(answer.headers()["retry-after"], "1");
    }

    #[test]
    fn an_unknown_queue_is_answered_with_those_that_there_are() {
        let settings = crate::Settings::default();
        let error = ApiError::from(MatchmakingError::UnknownQueue(settings.names()));
        let message = error.message();
        assert!(settings.queues.iter().all(|queue| message.contains(&queue.name)), "{message}");
    }
}
