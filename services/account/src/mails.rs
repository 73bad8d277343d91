//! The job that sends mails, one after the other, beside the calls that caused them: what it
//! finds and how long it takes cannot be seen from outside.

use sqlx::PgPool;
use tokio::sync::mpsc;
use uuid::Uuid;

use sortie_control::service::Stop;

use crate::error::AccountError;
use crate::mail::{Mail, MailError};
use crate::settings::Settings;
use crate::token;

/// Mails that wait; with more, calls are refused.
pub const WAITING_MAX: usize = 1_024;

/// A mail to be written.
#[derive(Clone, Debug)]
pub enum Task {
    /// Somebody has forgotten the password of the account with this address, if there is one.
    ResetAsked {
        /// As it was typed.
        email: String,
    },
    /// Tells a player that the password is another one now.
    PasswordChanged {
        /// The player whose password was changed.
        player_id: Uuid,
    },
}

/// Sends mails until the stop is asked for.
pub async fn run(db: PgPool, settings: &Settings, mut tasks: mpsc::Receiver<Task>, mut stop: Stop) {
    loop {
        let task = tokio::select! {
            () = stop.asked() => return,
            task = tasks.recv() => task,
        };
        let Some(task) = task else { return };
        let outcome = match perform(&db, settings, task).await {
            Ok(true) => "sent",
            Ok(false) => "nobody",
            Err(error) => {
                // Not an error of ours; whoever misses the mail asks again.
                tracing::warn!(%error, "a mail was not sent");
                "failed"
            }
        };
        metrics::counter!("sortie_account_mails_total", "outcome" => outcome).increment(1);
    }
}

/// A mail could not be written or sent.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// Whether there was anybody to write to.
async fn perform(db: &PgPool, settings: &Settings, task: Task) -> Result<bool, TaskError> {
    let Some(mailer) = &settings.mailer else { return Ok(false) };
    let mail = match task {
        Task::ResetAsked { email } => reset_mail(db, settings, &email).await?,
        Task::PasswordChanged { player_id } => changed_mail(db, player_id).await?,
    };
    let Some(mail) = mail else { return Ok(false) };
    mailer.send(mail).await?;
    Ok(true)
}

/// Only the newest mail's token works.
async fn reset_mail(
    db: &PgPool,
    settings: &Settings,
    email: &str,
) -> Result<Option<Mail>, AccountError> {
    let (text, digest) = token::new();
    let found = sqlx::query!(
        r#"with found as (
            select player_id, name, email from personal.identity join player using (player_id)
            where email_key = lower($1) and erased_at is null
        ), old as (
            delete from personal.reset_token using found
            where reset_token.player_id = found.player_id
        ), new as (
            insert into personal.reset_token (token_hash, player_id, expires_at)
            select $2, player_id, now() + make_interval(secs => $3) from found
        )
        select name, email from found"#,
        email,
        digest,
        settings.reset_life.as_secs_f64(),
    )
    .fetch_optional(db)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let (name, link) = (found.name, &settings.reset_link);
    let minutes = settings.reset_life.as_secs() / 60;
    Ok(Some(Mail {
        to: found.email,
        subject: "A new password".to_owned(),
        text: format!(
            "Hello {name},\n\nsomebody, hopefully you, wants to set a new password. Within \
            {minutes} minutes this link does:\n\n{link}{text}\n\nIf it was not you, nothing has to \
            be done.\n"
        ),
    }))
}

async fn changed_mail(db: &PgPool, player_id: Uuid) -> Result<Option<Mail>, AccountError> {
    let found = sqlx::query!(
        "select name, email from personal.identity join player using (player_id)
        where player_id = $1",
        player_id
    )
    .fetch_optional(db)
    .await?;
    Ok(found.map(|found| Mail {
        to: found.email,
        subject: "Your password was changed".to_owned(),
        text: format!(
            "Hello {},\n\nthe password of your account was changed, and its other logins were \
            ended. If it was not you, ask for a new password now.\n",
            found.name
        ),
    }))
}
