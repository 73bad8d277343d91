//! Mails, behind a trait: SMTP, or the log where there is no mail server.

use std::fmt;

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

/// A mail to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// A mail could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MailError(pub String);

/// Brings mails.
#[async_trait]
pub trait Mailer: Send + Sync + fmt::Debug {
    /// Hands a mail on.
    async fn send(&self, mail: Mail) -> Result<(), MailError>;
}

/// Writes mails to the log. The log then has the links in them: for development only.
#[derive(Clone, Copy, Debug)]
pub struct LogMailer;

#[async_trait]
impl Mailer for LogMailer {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        tracing::info!(subject = mail.subject, text = mail.text, "a mail that nobody sends");
        Ok(())
    }
}

/// Sends mails by SMTP.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for SmtpMailer {
    /// Without the URL, which has the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl SmtpMailer {
    /// By a URL like `smtps://user:password@host`, from an address like `Sortie <no@example.org>`.
    ///
    /// # Errors
    /// One of the two cannot be read.
    pub fn new(url: &str, from: &str) -> anyhow::Result<Self> {
        use anyhow::Context;
        let from = from.parse().context("the sender's mail address cannot be read")?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            // The cause could quote the URL, and the URL has a password.
            .map_err(|_| anyhow::anyhow!("the SMTP URL cannot be read"))?
            .timeout(Some(std::time::Duration::from_secs(10)))
            .build();
        Ok(Self { transport, from })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let failed = |error: &dyn fmt::Display| MailError(error.to_string());
        let message = Message::builder()
            .from(self.from.clone())
            .to(mail.to.parse().map_err(|error| failed(&error))?)
            .subject(mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text)
            .map_err(|error| failed(&error))?;
        self.transport.send(message).await.map_err(|error| failed(&error))?;
        Ok(())
    }
}
