//! A mail server that does what a test scripts, and remembers what it took.
//!
//! It speaks enough SMTP for one client: EHLO, STARTTLS or implicit TLS, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA, RSET,
//! NOOP, QUIT. Each recipient has a list of [`Reply`]s, used up one per attempt; without one the mail is accepted. It can go
//! down and come back on the same port. It relays nothing.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls::Identity;
use super::wait;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// In the clear until STARTTLS; AUTH and MAIL are refused before it.
    StartTls,
    /// In the clear, and STARTTLS is not offered: a client that insists on it must give up.
    StartTlsMissing,
    /// TLS from the first byte.
    Implicit,
}

/// What the server does with one attempt to send to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Takes the mail.
    Accept,
    /// Answers RCPT with this line, for example `550 5.1.1 no such user` or `451 4.7.1 greylisted`.
    Refuse(&'static str),
    /// Takes RCPT and answers the end of the mail with this line.
    RefuseData(&'static str),
    /// Drops the connection in the middle of DATA, before it has the whole mail.
    DropInData,
    /// Has the whole mail and never answers.
    Hang,
    /// Has the whole mail, remembers it, and drops the connection without an answer.
    AcceptUnanswered,
    /// Has the whole mail, remembers it, answers 250 and resets the connection at once.
    AcceptThenReset,
}

/// A mail that the server took.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Envelope sender.
    pub(crate) from: String,
    /// Envelope recipients.
    pub(crate) to: Vec<String>,
    /// The mail as sent, dots unstuffed.
    pub(crate) mail: String,
    /// Whether the connection was encrypted.
    pub(crate) encrypted: bool,
    /// The authenticated user and the mechanism.
    pub(crate) user: Option<(String, &'static str)>,
}

impl Received {
    /// The first header of this name, unfolded, as it stands in the mail.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.mail.split("\r\n\r\n").next().unwrap_or_default();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.split("\r\n").find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

/// A running mail server, ended when dropped.
pub(crate) struct Server {
    port: u16,
    identity: Identity,
    shared: Arc<Shared>,
    up: tokio::sync::watch::Sender<Power>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Up,
    Down,
    Off,
}

struct Shared {
    encryption: Encryption,
    credentials: Option<(String, String)>,
    acceptor: TlsAcceptor,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    listening: bool,
    next: BTreeMap<String, VecDeque<Reply>>,
    always: BTreeMap<String, Reply>,
    received: Vec<Received>,
    attempts: Vec<String>,
}

impl Server {
    /// Starts a server; with `credentials` it refuses mail from anybody else.
    pub(crate) fn start(encryption: Encryption, credentials: Option<(&str, &str)>) -> Self {
        let identity = Identity::new();
        let shared = Arc::new(Shared {
            encryption,
            credentials: credentials.map(|(user, password)| (user.to_owned(), password.to_owned())),
            acceptor: acceptor(&identity),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let port = super::free_port();
        let (up, watch) = tokio::sync::watch::channel(Power::Up);
        let thread = std::thread::Builder::new()
            .name("mail server".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                    runtime.block_on(serve(port, &shared, watch));
                }
            })
            .expect("threads can be started");
        let server = Self { port, identity, shared, up, thread: Some(thread) };
        server.wait_listening();
        server
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What the client must trust.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Scripts the next attempts to send to a recipient; after them mail is accepted.
    pub(crate) fn next(&self, recipient: &str, replies: impl IntoIterator<Item = Reply>) {
        self.state().next.entry(recipient.to_owned()).or_default().extend(replies);
    }

    /// Scripts every further attempt to send to a recipient.
    pub(crate) fn always(&self, recipient: &str, reply: Reply) {
        self.state().always.insert(recipient.to_owned(), reply);
    }

    /// All mails taken so far, in order.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// Recipients named by the client so far, in order, taken or not.
    pub(crate) fn attempts(&self) -> Vec<String> {
        self.state().attempts.clone()
    }

    /// Waits until a recipient has been named this often, taken or not.
    pub(crate) fn wait_attempts(&self, recipient: &str, count: usize) {
        self.wait(&format!("{count} attempts to send to {recipient}"), |state| {
            (state.attempts.iter().filter(|attempt| *attempt == recipient).count() >= count).then_some(())
        });
    }

    /// Waits until the server has taken at least `count` mails, and hands all back.
    pub(crate) fn wait_received(&self, count: usize) -> Vec<Received> {
        self.wait(&format!("{count} mails"), |state| (state.received.len() >= count).then(|| state.received.clone()))
    }

    /// Waits for a mail that `wanted` accepts.
    pub(crate) fn wait_mail(&self, what: &str, wanted: impl Fn(&Received) -> bool) -> Received {
        self.wait(what, |state| state.received.iter().find(|mail| wanted(mail)).cloned())
    }

    /// Stops listening and drops all connections, as a server that is down.
    pub(crate) fn go_down(&self) {
        self.up.send_replace(Power::Down);
        self.wait("the server to be down", |state| (!state.listening).then_some(()));
    }

    /// Listens again on the same port.
    pub(crate) fn come_back(&self) {
        self.up.send_replace(Power::Up);
        self.wait_listening();
    }

    fn wait_listening(&self) {
        self.wait("the server to listen", |state| state.listening.then_some(()));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().expect("nobody panics while holding it")
    }

    fn wait<T>(&self, what: &str, condition: impl Fn(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + wait::LIMIT;
        let mut state = self.state();
        loop {
            if let Some(answer) = condition(&state) {
                return answer;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let seen: Vec<_> = state.received.iter().map(|mail| (&mail.to, mail.header("Subject"))).collect();
            assert!(!left.is_zero(), "waited in vain for {what}; attempts {:?}, taken {seen:?}", state.attempts);
            state = self.shared.changed.wait_timeout(state, left).expect("nobody panics while holding it").0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.up.send_replace(Power::Off);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the mail server panicked");
        }
    }
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut self.state.lock().expect("nobody panics while holding it"));
        self.changed.notify_all();
        answer
    }
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("made by rcgen");
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("made by rcgen");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key fits the certificate");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(port: u16, shared: &Arc<Shared>, mut power: tokio::sync::watch::Receiver<Power>) {
    loop {
        let now = *power.borrow_and_update();
        match now {
            Power::Off => return,
            Power::Down => {
                shared.change(|state| state.listening = false);
                if power.changed().await.is_err() {
                    return;
                }
            }
            Power::Up => {
                let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port was free");
                shared.change(|state| state.listening = true);
                let mut sessions = tokio::task::JoinSet::new();
                loop {
                    tokio::select! {
                        changed = power.changed() => {
                            if changed.is_err() {
                                return;
                            }
                            break;
                        }
                        Ok((stream, _)) = listener.accept() => {
                            let shared = Arc::clone(shared);
                            // A client that goes away ends its session; what matters is what was taken before.
                            sessions.spawn(async move { session(stream, &shared).await });
                        }
                    }
                }
            }
        }
    }
}

enum Connection {
    Plain(BufReader<TcpStream>),
    Encrypted(Box<BufReader<TlsStream<TcpStream>>>),
}

impl Connection {
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        let read = match self {
            Self::Plain(stream) => stream.read_until(b'\n', &mut bytes).await?,
            Self::Encrypted(stream) => stream.read_until(b'\n', &mut bytes).await?,
        };
        Ok((read > 0).then(|| String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\r\n");
        match self {
            Self::Plain(stream) => stream.write_all(line.as_bytes()).await,
            Self::Encrypted(stream) => {
                stream.write_all(line.as_bytes()).await?;
                stream.flush().await
            }
        }
    }

    /// Makes the end of the connection a reset instead of an orderly close.
    fn reset_at_end(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.get_ref().set_zero_linger(),
            Self::Encrypted(stream) => stream.get_ref().get_ref().0.set_zero_linger(),
        }
    }

    /// Reads and ignores everything until the client goes away.
    async fn swallow(&mut self) -> io::Result<()> {
        let mut ignored = [0; 1024];
        loop {
            let read = match self {
                Self::Plain(stream) => stream.read(&mut ignored).await?,
                Self::Encrypted(stream) => stream.read(&mut ignored).await?,
            };
            if read == 0 {
                return Ok(());
            }
        }
    }
}

async fn encrypt(stream: TcpStream, shared: &Shared) -> io::Result<Connection> {
    Ok(Connection::Encrypted(Box::new(BufReader::new(shared.acceptor.accept(stream).await?))))
}

#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
    reply: Option<Reply>,
}

async fn session(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut encrypted = shared.encryption == Encryption::Implicit;
    let mut connection = if encrypted { encrypt(stream, shared).await? } else { Connection::Plain(BufReader::new(stream)) };
    let mut user = None;
    let mut envelope = Envelope::default();
    connection.say("220 localhost test mail server").await?;
    while let Some(line) = connection.line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" | "HELO" => {
                if shared.encryption == Encryption::StartTls && !encrypted {
                    connection.say("250-localhost\r\n250-SIZE 10485760\r\n250 STARTTLS").await?;
                } else {
                    connection.say("250-localhost\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN").await?;
                }
            }
            "STARTTLS" if shared.encryption == Encryption::StartTls && !encrypted => {
                connection.say("220 go ahead").await?;
                let Connection::Plain(plain) = connection else { return Ok(()) };
                connection = encrypt(plain.into_inner(), shared).await?;
                encrypted = true;
            }
            "AUTH" | "MAIL" if shared.encryption == Encryption::StartTls && !encrypted => {
                connection.say("530 5.7.0 must issue a STARTTLS command first").await?;
            }
            "AUTH" => user = authenticate(&mut connection, shared, &line).await?,
            "MAIL" if shared.credentials.is_some() && user.is_none() => {
                connection.say("530 5.7.0 authentication required").await?;
            }
            "MAIL" => {
                envelope = Envelope { from: Some(address(&line)), ..Envelope::default() };
                connection.say("250 2.1.0 ok").await?;
            }
            "RCPT" => recipient(&mut connection, shared, &mut envelope, address(&line)).await?,
            "DATA" if envelope.to.is_empty() => connection.say("503 5.5.1 no valid recipients").await?,
            "DATA" => {
                if !data(&mut connection, shared, std::mem::take(&mut envelope), encrypted, user.clone()).await? {
                    return Ok(());
                }
            }
            "RSET" => {
                envelope = Envelope::default();
                connection.say("250 2.0.0 ok").await?;
            }
            "NOOP" => connection.say("250 2.0.0 ok").await?,
            "QUIT" => return connection.say("221 2.0.0 bye").await,
            _ => connection.say("502 5.5.1 unknown command").await?,
        }
    }
    Ok(())
}

/// One RCPT: uses up the next scripted reply of this recipient.
async fn recipient(connection: &mut Connection, shared: &Shared, envelope: &mut Envelope, to: String) -> io::Result<()> {
    let reply = shared.change(|state| {
        state.attempts.push(to.clone());
        let scripted = state.next.get_mut(&to).and_then(VecDeque::pop_front);
        scripted.or_else(|| state.always.get(&to).cloned()).unwrap_or(Reply::Accept)
    });
    if let Reply::Refuse(line) = reply {
        return connection.say(line).await;
    }
    envelope.to.push(to);
    if envelope.reply.is_none() || reply != Reply::Accept {
        envelope.reply = Some(reply);
    }
    connection.say("250 2.1.5 ok").await
}

/// One DATA; hands back whether the session goes on.
async fn data(
    connection: &mut Connection,
    shared: &Shared,
    envelope: Envelope,
    encrypted: bool,
    user: Option<(String, &'static str)>,
) -> io::Result<bool> {
    let reply = envelope.reply.unwrap_or(Reply::Accept);
    connection.say("354 end with a dot").await?;
    let mut mail = String::new();
    loop {
        let Some(line) = connection.line().await? else { return Ok(false) };
        if reply == Reply::DropInData {
            return Ok(false);
        }
        if line == "." {
            break;
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
        mail.push_str("\r\n");
    }
    if matches!(reply, Reply::Accept | Reply::AcceptUnanswered | Reply::AcceptThenReset) {
        let from = envelope.from.unwrap_or_default();
        shared.change(|state| state.received.push(Received { from, to: envelope.to, mail, encrypted, user }));
    }
    match reply {
        Reply::RefuseData(line) => connection.say(line).await?,
        Reply::Hang => {
            connection.swallow().await?;
            return Ok(false);
        }
        Reply::AcceptUnanswered => return Ok(false),
        Reply::AcceptThenReset => {
            connection.say("250 2.0.0 taken").await?;
            connection.reset_at_end()?;
            return Ok(false);
        }
        Reply::Accept | Reply::Refuse(_) | Reply::DropInData => connection.say("250 2.0.0 taken").await?,
    }
    Ok(true)
}

/// AUTH PLAIN and LOGIN; the authenticated user, if the password is right.
async fn authenticate(connection: &mut Connection, shared: &Shared, line: &str) -> io::Result<Option<(String, &'static str)>> {
    let mut words = line.split_whitespace().skip(1);
    let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
    let initial = words.next().map(str::to_owned);
    let (user, password, mechanism) = match mechanism.as_str() {
        "PLAIN" => {
            let answer = match initial {
                Some(answer) => answer,
                None => ask(connection, "334 ").await?,
            };
            let decoded = base64_decode(&answer);
            let mut parts = decoded.split('\0').skip(1).map(str::to_owned);
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), "PLAIN")
        }
        "LOGIN" => {
            let user = match initial {
                Some(answer) => answer,
                None => ask(connection, "334 VXNlcm5hbWU6").await?,
            };
            let password = ask(connection, "334 UGFzc3dvcmQ6").await?;
            (base64_decode(&user), base64_decode(&password), "LOGIN")
        }
        _ => {
            connection.say("504 5.5.4 unknown mechanism").await?;
            return Ok(None);
        }
    };
    if shared.credentials.as_ref().is_none_or(|wanted| *wanted == (user.clone(), password)) {
        connection.say("235 2.7.0 welcome").await?;
        Ok(Some((user, mechanism)))
    } else {
        connection.say("535 5.7.8 wrong user or password").await?;
        Ok(None)
    }
}

async fn ask(connection: &mut Connection, prompt: &str) -> io::Result<String> {
    connection.say(prompt).await?;
    Ok(connection.line().await?.unwrap_or_default())
}

/// The address between the angle brackets of MAIL and RCPT.
fn address(line: &str) -> String {
    let after = line.split_once('<').map_or("", |(_, after)| after);
    after.split_once('>').map_or("", |(address, _)| address).to_owned()
}

fn base64_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).expect("eight bits"));
            bits &= (1 << held) - 1;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
