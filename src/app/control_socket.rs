//! The local socket between `rs rotate-password` and a running `rs host`: one JSON line each way.
//!
//! The socket lives in the state folder, 0600: only the same user (and root) can speak to it.

use std::{io, path::Path, sync::Arc, time::Duration};

use interprocess::local_socket::{
    GenericFilePath, ListenerOptions, ToFsName,
    tokio::{Listener, Stream},
    traits::tokio::{Listener as _, Stream as _},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};
use zeroize::Zeroizing;

/// The longest line.
const MAX_LINE: u64 = 4096;
/// How many may ask at the same time.
const AT_ONCE: usize = 16;
/// How long either side may take: a new password costs one Argon2id.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait after the system could not accept one.
const REST: Duration = Duration::from_millis(200);

/// What the host is asked to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Request {
    /// Change the password.
    Rotate {
        /// To a permanent one.
        permanent: bool,
        /// Of the user's own choice; else a random one.
        own: Option<String>,
        /// Sessions that the old password opened go on.
        keep_sessions: bool,
    },
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    /// The password now.
    Rotated(String),
    /// Why not, for a person.
    Failed(String),
}

/// A request on its way to the host, with the place for its answer.
pub(super) type Asked = (Request, oneshot::Sender<Reply>);

/// Listens at `path` and passes requests on. A socket left by a crash is replaced: the host's lock is held.
pub(super) fn serve(path: &Path, requests: mpsc::Sender<Asked>) -> io::Result<()> {
    let listener = listen(path)?;
    let places = Arc::new(Semaphore::new(AT_ONCE));
    tokio::spawn(async move {
        // One that says nothing must not keep the next one waiting.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let stream = match listener.accept().await {
                Ok(stream) => stream,
                Err(error) => {
                    // Such as too many open files; it passes, and then there must be somebody to talk to.
                    tracing::warn!(%error, "the local socket refused a request");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let requests = requests.clone();
            tokio::spawn(async move {
                let _ = timeout(PATIENCE, answer(stream, &requests)).await;
                drop(place);
            });
        }
    });
    Ok(())
}

/// Asks the host that runs here. `None`: none does.
pub(super) async fn ask(path: &Path, request: &Request) -> io::Result<Option<Reply>> {
    let stream = match Stream::connect(path.to_fs_name::<GenericFilePath>()?).await {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(None),
        other => other?,
    };
    let mut stream = BufReader::new(stream);
    let asked = async {
        write_line(&mut stream, request).await?;
        read_line(&mut stream).await
    };
    timeout(PATIENCE, asked).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(Some)
}

fn listen(path: &Path) -> io::Result<Listener> {
    let _ = std::fs::remove_file(path);
    let options = ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?);
    #[cfg(unix)]
    let options = interprocess::os::unix::local_socket::ListenerOptionsExt::mode(options, 0o600);
    options.create_tokio()
}

async fn answer(stream: Stream, requests: &mpsc::Sender<Asked>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let request = read_line(&mut stream).await?;
    let (reply, answered) = oneshot::channel();
    requests.send((request, reply)).await.map_err(io::Error::other)?;
    let answer = answered.await.map_err(io::Error::other)?;
    write_line(&mut stream, &answer).await
}

async fn read_line<T: DeserializeOwned>(stream: &mut BufReader<Stream>) -> io::Result<T> {
    let mut line = Zeroizing::new(Vec::new());
    stream.take(MAX_LINE).read_until(b'\n', &mut line).await?;
    serde_json::from_slice(&line).map_err(io::Error::other)
}

async fn write_line<T: Serialize>(stream: &mut BufReader<Stream>, value: &T) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(value)?);
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_gets_its_answer_and_nobody_listening_is_not_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        let request = Request::Rotate { permanent: false, own: None, keep_sessions: true };
        assert!(ask(&path, &request).await.expect("no error").is_none());

        let (requests, mut asked) = mpsc::channel(1);
        serve(&path, requests).expect("listens");
        let host = async {
            let (request, reply) = asked.recv().await.expect("a request");
            assert!(matches!(request, Request::Rotate { permanent: false, own: None, keep_sessions: true }));
            reply.send(Reply::Rotated("k7m4-q2xp".to_owned())).expect("still waiting");
        };
        let (answer, ()) = tokio::join!(ask(&path, &request), host);
        assert!(matches!(answer.expect("an answer"), Some(Reply::Rotated(password)) if password == "k7m4-q2xp"));
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("is there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}
