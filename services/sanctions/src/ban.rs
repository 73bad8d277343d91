//! Bans: placed, lifted, appealed against. In force is one that is neither lifted nor expired.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A ban as it is placed.
#[derive(Clone, Copy, Debug)]
pub struct NewBan<'a> {
    /// A new id.
    pub ban_id: Uuid,
    /// Who is banned.
    pub player_id: Uuid,
    /// From what: `login`, `chat`, `matchmaking` or `purchase`.
    pub scope: &'a str,
    /// Told to the player.
    pub reason: &'a str,
    /// Who bans.
    pub issued_by: Uuid,
    /// When it ends by itself; `None`: never.
    pub expires_at: Option<OffsetDateTime>,
    /// The battle that shows why.
    pub battle_id: Option<Uuid>,
}

/// Places a ban.
///
/// # Errors
/// The database failed, or a value is out of bounds.
pub async fn place(db: &mut PgConnection, new: NewBan<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into ban (ban_id, player_id, scope, reason, issued_by, expires_at, battle_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
        new.ban_id,
        new.player_id,
        new.scope,
        new.reason,
        new.issued_by,
        new.expires_at,
        new.battle_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lifts a ban that the caller holds; one that was lifted stays as it is.
///
/// # Errors
/// The database failed.
pub async fn lift(db: &mut PgConnection, ban_id: Uuid, lifted_by: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "update ban set lifted_at = now(), lifted_by = $2
         where ban_id = $1 and lifted_at is null",
        ban_id,
        lifted_by
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The banned player says why a ban, which the caller holds, is wrong.
///
/// # Errors
/// The database failed, or the text is too long.
pub async fn appeal(db: &mut PgConnection, ban_id: Uuid, text: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update ban set appeal = 'open', appeal_text = $2 where ban_id = $1",
        ban_id,
        text
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Decides the appeal against a ban that the caller holds. An accepted one lifts it with [`lift`].
///
/// # Errors
/// The database failed.
pub async fn decide(db: &mut PgConnection, ban_id: Uuid, is_accepted: bool) -> sqlx::Result<()> {
    let appeal = if is_accepted { "accepted" } else { "rejected" };
    sqlx::query!("update ban set appeal = $2 where ban_id = $1", ban_id, appeal)
        .execute(db)
        .await?;
    Ok(())
}

/// A ban that keeps a player from logging in.
#[derive(Clone, Debug)]
pub struct FromLogin {
    /// Id of the ban, which an appeal names.
    pub ban_id: Uuid,
    /// Told to the player.
    pub reason: String,
    /// `None`: for good.
    pub expires_at: Option<OffsetDateTime>,
}

/// The longest ban in force that keeps a player from logging in.
///
/// # Errors
/// The database failed.
pub async fn from_login(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<Option<FromLogin>> {
    sqlx::query_as!(
        FromLogin,
        "select ban_id, reason, expires_at from ban where player_id = $1 and scope = 'login'
            and lifted_at is null and (expires_at is null or expires_at > now())
        order by expires_at desc nulls first limit 1",
        player_id
    )
    .fetch_optional(db)
    .await
}

/// A ban that keeps one of some players from playing.
#[derive(Clone, Debug)]
pub struct FromPlay {
    /// Who is banned.
    pub player_id: Uuid,
    /// `login` or `matchmaking`.
    pub scope: String,
    /// For the banned player alone.
    pub reason: String,
    /// `None`: for good.
    pub expires_at: Option<OffsetDateTime>,
}

/// The longest ban in force that keeps one of `players` from playing; that of `first` before all.
///
/// # Errors
/// The database failed.
pub async fn from_play(
    db: &mut PgConnection,
    players: &[Uuid],
    first: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<Option<FromPlay>> {
    sqlx::query_as!(
        FromPlay,
        "select player_id, scope, reason, expires_at from ban
         where player_id = any($1) and scope in ('login', 'matchmaking')
           and lifted_at is null and (expires_at is null or expires_at > $2)
         order by player_id = $3 desc, expires_at desc nulls first limit 1",
        players,
        now,
        first
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn erase(db: &mut PgConnection, player_id: Uuid, blank: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update ban set reason = $2, appeal_text = null where player_id = $1",
        player_id,
        blank,
    )
    .execute(db)
    .await?;
    Ok(())
}
