//! The one way to a place: claim the players, take the place, look whether they are elsewhere.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// How often a place is tried that somebody leaves at this moment.
const TRIES: usize = 8;

/// A place that holds a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Waits with this ticket.
    Queue(Uuid),
    /// Sits in this room, which is not started.
    Room(Uuid),
    /// Has a seat in this battle, which is not over.
    Battle(Uuid),
}

/// Why players cannot come to a place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A player is somewhere else.
    #[error("a player is somewhere else")]
    Elsewhere {
        /// The player who cannot take the place.
        player_id: Uuid,
        /// The place that the player has already.
        place: Place,
    },
    /// A player's party is another one by now, or there is none any more, or players come and go
    /// all the time; worth another look.
    #[error("a player has changed the party")]
    PartyChanged,
    /// The team has no seat left.
    #[error("the seat is taken")]
    SeatTaken,
    /// The player was erased.
    #[error("a player is no more")]
    Erased,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Players whom nobody else brings anywhere until the transaction ends.
#[derive(Debug)]
#[must_use = "claimed players are to be brought somewhere"]
pub struct Claim(pub(crate) Vec<Uuid>);

/// Claims players; waits for whoever has claimed one of them.
///
/// # Errors
/// The database failed.
pub async fn claim(db: &mut PgConnection, players: &[Uuid]) -> sqlx::Result<Claim> {
    sqlx::query!(r#"select claim_players($1)::text as "done""#, players).fetch_one(db).await?;
    Ok(Claim(players.to_vec()))
}

impl Claim {
    /// Into a queue, with a ticket that is there already. `party_id`: the party that they wait as,
    /// which the caller has locked; `None`: alone, in no party.
    ///
    /// # Errors
    /// Someone is elsewhere, in another party, or no more.
    pub async fn wait(
        self,
        db: &mut PgConnection,
        ticket_id: Uuid,
        party_id: Option<Uuid>,
    ) -> Result<(), PlaceError> {
        let strangers = sqlx::query_scalar!(
            r#"select count(*) as "count!" from unnest($1::uuid[]) as claimed (player_id)
             left join party_member m using (player_id)
             where m.party_id is distinct from $2"#,
            &self.0,
            party_id
        )
        .fetch_one(&mut *db)
        .await?;
        if strangers > 0 {
            return Err(PlaceError::PartyChanged);
        }
        self.leave_lost(&mut *db).await?;
        let mut opened = 0;
        for _ in 0..TRIES {
            let taken = sqlx::query!(
                "insert into ticket_open (player_id, ticket_id)
                 select p, $1 from unnest($2::uuid[]) as p order by p
                 on conflict do nothing",
                ticket_id,
                &self.0
            );
            opened += taken.execute(&mut *db).await?.rows_affected();
            self.refuse_elsewhere(&mut *db, &[ticket_id]).await?;
            if opened == self.0.len() as u64 {
                return Ok(());
            }
            // Who was in the way has left since: leaving takes no lock.
        }
        Err(PlaceError::PartyChanged)
    }

    /// Into a party, which the caller has locked or just made, and which does not wait. Who is in
    /// a party already is told by the constraint `party_member_pkey`.
    ///
    /// # Errors
    /// Someone waits, or is no more.
    pub async fn enter_party(
        self,
        db: &mut PgConnection,
        party_id: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), PlaceError> {
        sqlx::query!(
            "insert into party_member (player_id, party_id, joined_at)
             select p, $1, $3 from unnest($2::uuid[]) as p order by p",
            party_id,
            &self.0,
            now
        )
        .execute(&mut *db)
        .await?;
        match self.refuse_elsewhere(db, &[]).await {
            // Friends may meet wherever they are, but for a queue: a party waits as a whole.
            Err(PlaceError::Elsewhere { place: Place::Room(_) | Place::Battle(_), .. }) => Ok(()),
            entered => entered,
        }
    }

    /// Into a room, which the caller has locked or just made, and into its battle if it was
    /// started: `battle` and team. Who sits in a room already is told by the constraint
    /// `room_player_pkey`.
    ///
    /// # Errors
    /// Someone is elsewhere, or no more.
    pub async fn sit(
        self,
        db: &mut PgConnection,
        room_id: Uuid,
        battle: Option<(Uuid, i16)>,
        now: OffsetDateTime,
    ) -> Result<(), PlaceError> {
        self.leave_lost(&mut *db).await?;
        sqlx::query!(
            "insert into room_player (player_id, room_id, joined_at)
             select p, $1, $3 from unnest($2::uuid[]) as p order by p",
            room_id,
            &self.0,
            now
        )
        .execute(&mut *db)
        .await?;
        let Some((battle_id, team)) = battle else {
            return self.refuse_elsewhere(db, &[room_id]).await;
        };
        // Back to the old team after leaving the room; a seat that was given up is asked for anew.
        sqlx::query!(
            "insert into battle_player (battle_id, player_id, team, came_by)
             select $1, p, $3, 'room' from unnest($2::uuid[]) as p order by p
             on conflict (battle_id, player_id) do nothing",
            battle_id,
            &self.0,
            team
        )
        .execute(&mut *db)
        .await?;
        self.refuse_elsewhere(db, &[room_id, battle_id]).await
    }

    /// Back onto the seat that one player gave up, if the team has one: `team_max`, or half of
    /// the battle's seats.
    ///
    /// # Errors
    /// The player is elsewhere or no more, or the team is full.
    pub async fn sit_again(
        self,
        db: &mut PgConnection,
        battle_id: Uuid,
        team_max: Option<i64>,
    ) -> Result<(), PlaceError> {
        self.leave_lost(&mut *db).await?;
        let taken = sqlx::query!(
            "update battle_player own set gone_at = null from battle b
             where own.battle_id = $1 and own.player_id = any($2) and b.battle_id = $1
                 and (select count(*) from battle_player other where other.battle_id = $1
                     and other.team = own.team and other.gone_at is null
                     and other.player_id <> own.player_id)
                     < coalesce($3::bigint, (b.players_max + 1) / 2)",
            battle_id,
            &self.0,
            team_max
        )
        .execute(&mut *db)
        .await?;
        self.refuse_elsewhere(db, &[battle_id]).await?;
        if taken.rows_affected() == 0 { Err(PlaceError::SeatTaken) } else { Ok(()) }
    }

    async fn leave_lost(&self, db: &mut PgConnection) -> sqlx::Result<()> {
        let query = sqlx::query!(r#"select leave_lost_battles($1) as "left!""#, &self.0);
        query.fetch_one(db).await.map(drop)
    }

    /// One statement, which sees all places as they are at one moment.
    pub(crate) async fn refuse_elsewhere(
        &self,
        db: &mut PgConnection,
        here: &[Uuid],
    ) -> Result<(), PlaceError> {
        let found = sqlx::query!(
            r#"select player_id as "player_id!", kind as "kind!", place_id from (
                select player_id, kind, place_id from whereabouts
                where player_id = any($1) and place_id <> all($2)
                union all
                select player_id, 'erased', null from player
                where player_id = any($1) and erased_at is not null
             ) as elsewhere
             order by kind = 'erased' desc, kind = 'queue' desc, place_id limit 1"#,
            &self.0,
            here
        )
        .fetch_optional(db)
        .await?;
        let Some(found) = found else { return Ok(()) };
        let place_id = found.place_id.unwrap_or_default();
        let place = match found.kind.as_str() {
            "queue" => Place::Queue(place_id),
            "room" => Place::Room(place_id),
            "battle" => Place::Battle(place_id),
            _ => return Err(PlaceError::Erased),
        };
        Err(PlaceError::Elsewhere { player_id: found.player_id, place })
    }
}
