//! A [`Mail`] as the bytes of RFC 5322: `multipart/alternative`, plain text first. Date and MIME boundary come from the mail, so
//! the same mail is the same bytes.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::Error;
use crate::alert::Mail;

/// The bytes of a mail, without the blind parts: nothing in them depends on the envelope.
pub(super) fn bytes(mail: &Mail) -> Result<Vec<u8>, Error> {
    let from = Mailbox::new(Some(mail.from_name.clone()), address(&mail.from)?);
    let micros = u64::try_from(mail.date.0).unwrap_or_default();
    let mut builder: MessageBuilder = Message::builder()
        .from(from)
        .date(UNIX_EPOCH + Duration::from_micros(micros))
        .subject(mail.subject.clone())
        .message_id(Some(mail.message_id.clone()));
    for recipient in &mail.to {
        builder = builder.to(mailbox(recipient)?);
    }
    if let Some(first) = &mail.in_reply_to {
        builder = builder.in_reply_to(first.clone());
    }
    if !mail.references.is_empty() {
        builder = builder.references(mail.references.join(" "));
    }
    for (name, value) in &mail.headers {
        builder = builder.raw_header(HeaderValue::new(header_name(name), value.clone()));
    }
    let body = MultiPart::alternative()
        .boundary(&mail.boundary)
        .singlepart(SinglePart::plain(mail.text.clone()))
        .singlepart(SinglePart::html(mail.html.clone()));
    let message =
        builder.multipart(body).map_err(|reason| Error::Address { address: mail.from.clone(), reason: reason.to_string() })?;
    Ok(message.formatted())
}

fn header_name(name: &'static str) -> HeaderName {
    HeaderName::new_from_ascii_str(name)
}

/// `a@b` or `Name <a@b>`.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, Error> {
    text.parse()
        .map_err(|reason: lettre::address::AddressError| Error::Address { address: text.to_owned(), reason: reason.to_string() })
}

/// The address in `a@b` or `Name <a@b>`.
pub(super) fn address(text: &str) -> Result<Address, Error> {
    mailbox(text).map(|mailbox| mailbox.email)
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::bytes;
    use crate::alert::Mail;
    use crate::event::Timestamp;

    fn mail() -> Mail {
        Mail {
            from_name: "Groundwire FIRING".to_owned(),
            from: "groundwire@alerts.example.com".to_owned(),
            to: vec!["oncall@example.com".to_owned(), "Lead <lead@example.com>".to_owned()],
            subject: "[page] GroundednessDrop acme/support-bot GW-ABCDEFGHIJ".to_owned(),
            date: Timestamp::parse("2026-11-24T03:16:00Z").unwrap(),
            message_id: "<GW-ABCDEFGHIJ.2.resolved@alerts.example.com>".to_owned(),
            in_reply_to: Some("<GW-ABCDEFGHIJ.1.firing@alerts.example.com>".to_owned()),
            references: vec!["<GW-ABCDEFGHIJ.1.firing@alerts.example.com>".to_owned()],
            headers: vec![("Auto-Submitted", "auto-generated".to_owned()), ("X-Groundwire-Alert", "GroundednessDrop".to_owned())],
            boundary: "gw-0123456789abcdef".to_owned(),
            text: "FIRING Groundedness 71.2%\n\n.a line that starts with a dot\n".to_owned(),
            html: "<!DOCTYPE html>\n<p>FIRING</p>\n".to_owned(),
        }
    }

    #[test]
    fn a_parser_reads_back_what_was_written() {
        let bytes = bytes(&mail()).unwrap();
        let parsed = MessageParser::new().parse(&bytes).unwrap();
        assert_eq!(parsed.subject(), Some(mail().subject.as_str()));
        assert_eq!(parsed.message_id(), Some("GW-ABCDEFGHIJ.2.resolved@alerts.example.com"));
        assert_eq!(parsed.in_reply_to().as_text(), Some("GW-ABCDEFGHIJ.1.firing@alerts.example.com"));
        assert_eq!(parsed.references().as_text(), Some("GW-ABCDEFGHIJ.1.firing@alerts.example.com"));
        assert_eq!(parsed.date().map(mail_parser::DateTime::to_rfc3339), Some("2026-11-24T03:16:00Z".to_owned()));
        let from = parsed.from().and_then(|from| from.first()).unwrap();
        assert_eq!((from.name(), from.address()), (Some("Groundwire FIRING"), Some("groundwire@alerts.example.com")));
        let to: Vec<_> = parsed.to().unwrap().iter().filter_map(|to| to.address()).collect();
        assert_eq!(to, ["oncall@example.com", "lead@example.com"]);
        assert_eq!(parsed.header("Auto-Submitted").and_then(|value| value.as_text()), Some("auto-generated"));
        assert_eq!(parsed.header("X-Groundwire-Alert").and_then(|value| value.as_text()), Some("GroundednessDrop"));
        assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), mail().text.trim_end());
        assert_eq!(parsed.body_html(0).unwrap().replace("\r\n", "\n").trim_end(), mail().html.trim_end());
        assert_eq!((parsed.text_body_count(), parsed.html_body_count(), parsed.attachment_count()), (1, 1, 0));
        let first = parsed.parts.iter().find(|part| part.is_text());
        assert!(first.is_some_and(|part| !part.is_text_html()), "plain text comes first");
    }

    #[test]
    fn the_same_mail_is_the_same_bytes() {
        assert_eq!(bytes(&mail()).unwrap(), bytes(&mail()).unwrap());
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let wrong = Mail { to: vec!["nobody".to_owned()], ..mail() };
        assert!(bytes(&wrong).unwrap_err().to_string().starts_with("`nobody` is not a mail address"));
    }
}
