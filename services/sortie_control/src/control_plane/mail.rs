//! Who brings mails: a mail server, the log, or nobody.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use sortie_account::mail::{LogMailer, Mailer, SmtpMailer};

use super::keys;

/// What an operator said about mails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MailOptions<'a> {
    /// The mail server, with the password.
    pub smtp_url: Option<&'a str>,
    /// A file with it.
    pub smtp_url_file: Option<&'a Path>,
    /// Whom mails are from.
    pub from: Option<&'a str>,
    /// Whether the log is the mailbox where there is no mail server.
    pub is_logged: bool,
}

/// `None`: nobody; routes that need mails refuse then.
///
/// # Errors
/// What was said does not fit together, or cannot be read.
pub(crate) fn mailer(options: MailOptions<'_>) -> anyhow::Result<Option<Arc<dyn Mailer>>> {
    let url = match (options.smtp_url, options.smtp_url_file) {
        (Some(_), Some(_)) => bail!("give --smtp-url or --smtp-url-file, not both"),
        (Some(url), None) => Some(url.to_owned()),
        (None, Some(file)) => {
            let text = keys::private_text(file, "SMTP URL", "see --smtp-url-file")?;
            Some(text.trim().to_owned())
        }
        (None, None) => None,
    };
    let Some(url) = url else {
        if options.from.is_some() {
            bail!("--mail-from alone sends nothing: give --smtp-url-file, too");
        }
        return Ok(options.is_logged.then(|| Arc::new(LogMailer) as Arc<dyn Mailer>));
    };
    let from =
        options.from.context("a mail server needs --mail-from, as Sortie <no@example.org>")?;
    Ok(Some(Arc::new(SmtpMailer::new(&url, from)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: MailOptions<'_> =
        MailOptions { smtp_url: None, smtp_url_file: None, from: None, is_logged: false };
    const SMTP: MailOptions<'_> = MailOptions {
        smtp_url: Some("smtps://user:geheim@mail.example.org"),
        from: Some("Sortie <no@example.org>"),
        ..NOTHING
    };

    #[test]
    fn mails_go_to_the_log_only_where_that_was_asked_for() {
        assert!(mailer(NOTHING).unwrap().is_none());
        let log = mailer(MailOptions { is_logged: true, ..NOTHING }).unwrap();
        assert!(format!("{log:?}").contains("LogMailer"), "{log:?}");
        let smtp = mailer(MailOptions { is_logged: true, ..SMTP }).unwrap();
        assert!(format!("{smtp:?}").contains("SmtpMailer"), "{smtp:?}");
    }

    #[tokio::test]
    async fn faults_are_named_and_the_password_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("smtp");
        std::fs::write(&file, "smtp://user:geheim@[").unwrap();
        let faults = [
            (MailOptions { smtp_url_file: Some(&file), ..SMTP }, "not both"),
            (MailOptions { smtp_url: None, ..SMTP }, "--smtp-url-file"),
            (MailOptions { from: None, ..SMTP }, "--mail-from"),
            (MailOptions { from: Some("nobody"), ..SMTP }, "sender"),
            (MailOptions { smtp_url: Some("ftp://user:geheim@host"), ..SMTP }, "SMTP URL"),
            (MailOptions { smtp_url: None, smtp_url_file: Some(&file), ..SMTP }, "everybody"),
        ];
        for (options, named) in faults {
            let error = format!("{:#}", mailer(options).unwrap_err());
            assert!(error.contains(named) && !error.contains("geheim"), "{error}");
        }
    }
}
