//! Mail as files: one `.eml` per mail and recipient, named so that a person finds it, written whole or not at all.

use std::path::PathBuf;

use tokio::fs;
use tokio::io::AsyncWriteExt;

use super::{Error, compose};
use crate::alert::{Mail, SendOutcome};

/// A folder for mail.
#[derive(Clone, Debug)]
pub struct Directory {
    folder: PathBuf,
}

impl Directory {
    /// Names the folder; it is made when it is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Writes one mail for one recipient. A repeat replaces the file by an equal one.
    pub(super) async fn send(&self, mail: &Mail, recipient: &str) -> SendOutcome {
        let bytes = match compose::bytes(mail) {
            Ok(bytes) => bytes,
            Err(error) => return SendOutcome::Refused(error.to_string()),
        };
        let name = file_name(mail, recipient);
        match self.write(&name, &bytes).await {
            Ok(()) => SendOutcome::Sent(format!("written as {}", self.folder.join(name).display())),
            Err(error) => SendOutcome::Retry(error.to_string()),
        }
    }

    /// Writes and removes a file.
    pub(super) async fn test(&self) -> Result<(), Error> {
        self.write(".groundwire-test", b"").await?;
        fs::remove_file(self.folder.join(".groundwire-test")).await.map_err(|reason| self.unwritable(reason))
    }

    async fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let temporary = self.folder.join(format!(".{name}.part"));
        let whole = async {
            fs::create_dir_all(&self.folder).await?;
            let mut file = fs::File::create(&temporary).await?;
            file.write_all(bytes).await?;
            file.sync_all().await?;
            fs::rename(&temporary, self.folder.join(name)).await
        };
        whole.await.map_err(|reason| self.unwritable(reason))
    }

    fn unwritable(&self, reason: std::io::Error) -> Error {
        Error::Folder { folder: self.folder.display().to_string(), reason }
    }
}

/// `2026-11-24T03-16-00Z page GroundednessDrop acme-support-bot GW-… firing to oncall@example.com.eml`, with `_` for spaces.
fn file_name(mail: &Mail, recipient: &str) -> String {
    let state = mail.headers.iter().find(|(name, _)| *name == "X-Groundwire-State").map_or("", |(_, value)| value.as_str());
    let name = format!("{}_{}_{state}_to_{recipient}", mail.date, mail.subject);
    let plain: String = name
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '@' | '-' | '_' | '+' => c,
            ' ' => '_',
            _ => '-',
        })
        .filter(|c| *c != '[' && *c != ']')
        .take(220)
        .collect();
    // The incident and the kind tell mails apart; the Message-ID does so even where the name was cut.
    let hash = blake3::hash(format!("{} {recipient}", mail.message_id).as_bytes()).to_hex();
    let short = if name.chars().count() > 220 { format!("-{}", hash.get(..8).unwrap_or_default()) } else { String::new() };
    format!("{}{short}.eml", plain.replace("_-page-_", "_page_").replace("_-ticket-_", "_ticket_").replace("_-info-_", "_info_"))
}

#[cfg(test)]
mod tests {
    use super::Directory;
    use crate::alert::{Mail, SendOutcome};
    use crate::event::Timestamp;

    fn mail() -> Mail {
        Mail {
            from_name: "Groundwire FIRING".to_owned(),
            from: "groundwire@localhost".to_owned(),
            to: vec!["oncall@example.com".to_owned()],
            subject: "[page] GroundednessDrop acme/support-bot GW-ABCDEFGHIJ".to_owned(),
            date: Timestamp::parse("2026-11-24T03:16:00Z").unwrap(),
            message_id: "<GW-ABCDEFGHIJ.1.firing@localhost>".to_owned(),
            in_reply_to: None,
            references: Vec::new(),
            headers: vec![("X-Groundwire-State", "firing".to_owned())],
            boundary: "gw-0".to_owned(),
            text: "FIRING\n".to_owned(),
            html: "<p>FIRING</p>\n".to_owned(),
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_mail_is_one_whole_file_with_a_telling_name_and_a_repeat_adds_none() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("new/outbox"));
        run(directory.test()).unwrap();
        for _ in 0..2 {
            assert!(matches!(run(directory.send(&mail(), "oncall@example.com")), SendOutcome::Sent(_)));
        }
        let names: Vec<String> = std::fs::read_dir(folder.path().join("new/outbox"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(
            names,
            ["2026-11-24T03-16-00Z_page_GroundednessDrop_acme-support-bot_GW-ABCDEFGHIJ_firing_to_oncall@example.com.eml"]
        );
        let text = std::fs::read_to_string(folder.path().join("new/outbox").join(&names[0])).unwrap();
        assert!(text.contains("Message-ID: <GW-ABCDEFGHIJ.1.firing@localhost>"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_tried_again_later() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        assert!(matches!(run(Directory::new(blocked).send(&mail(), "a@x")), SendOutcome::Retry(_)));
    }
}
