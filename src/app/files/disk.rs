//! The disk's thread: does one job after the other, so that a slow disk holds up nothing but files. It starts with the first job and ends
//! with its session. What waits for it is bounded: chunks by what the session lets be under way, the rest by the number of transfers.

use std::{collections::BTreeMap, path::PathBuf, time::SystemTime};

use tokio::sync::mpsc;

use crate::{
    files::{Folder, Partial, Source},
    protocol::transfer::{Hash, sending::BLOCK},
};

/// Answers that wait to be heard.
const ANSWERS: usize = 64;

/// What is to be done.
pub(super) enum Job {
    /// Open a file that the user names.
    Source(PathBuf),
    /// Open a file below the folder for request number so-and-so.
    Fetch(u32, String),
    /// It is sent under this number.
    Hold(u32, Source),
    Check(u32, u64, Hash),
    Read(u32),
    CloseOutgoing(u32),
    Open(u32, String, u64),
    Write(u32, u64, Vec<u8>),
    Finish(u32, Hash),
    CloseIncoming(u32),
    /// The network is gone: another session may go on with what is partial.
    Release,
}

/// What became of it.
pub(in crate::app) enum Reply {
    /// A file is open, or not; for this request, if it was one.
    Source(Result<Source, (PathBuf, String)>, Option<u32>),
    Begins(u32, u64),
    Read(u32, Vec<u8>),
    End(u32, Hash),
    NotSent(u32, String),
    Opened(u32, (u64, Hash)),
    /// A chunk is written up to here.
    Wrote(u32, Result<u64, String>),
    Finished(u32, PathBuf, Hash),
    NotReceived(u32, String),
}

/// The way to the thread.
pub(super) struct Disk {
    start: Option<(Thread, mpsc::Sender<Reply>)>,
    jobs: std::sync::mpsc::Sender<Job>,
    replies: mpsc::Receiver<Reply>,
}

impl Disk {
    pub(super) fn new(folder: PathBuf, tag: String, save_as: Option<String>) -> Self {
        let (jobs, given) = std::sync::mpsc::channel();
        let (answers, replies) = mpsc::channel(ANSWERS);
        let thread =
            Thread { path: folder, folder: None, tag, save_as, given, incoming: BTreeMap::new(), outgoing: BTreeMap::new() };
        Self { start: Some((thread, answers)), jobs, replies }
    }

    /// Gives it a job.
    pub(super) fn give(&mut self, job: Job) {
        if let Some((thread, answers)) = self.start.take()
            && let Err(error) = std::thread::Builder::new().name("files".to_owned()).spawn(move || thread.run(&answers))
        {
            tracing::error!(%error, "no thread for files");
        }
        // A thread that could not be started is told nothing; its files stay offered.
        let _ = self.jobs.send(job);
    }

    /// The next answer; waits for ever where there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Reply {
        match self.replies.recv().await {
            Some(reply) => reply,
            None => std::future::pending().await,
        }
    }
}

struct Thread {
    path: PathBuf,
    folder: Option<Folder>,
    tag: String,
    save_as: Option<String>,
    given: std::sync::mpsc::Receiver<Job>,
    incoming: BTreeMap<u32, Partial>,
    outgoing: BTreeMap<u32, Source>,
}

impl Thread {
    fn run(mut self, answers: &mpsc::Sender<Reply>) {
        while let Ok(job) = self.given.recv() {
            if let Some(reply) = self.perform(job)
                && answers.blocking_send(reply).is_err()
            {
                break;
            }
        }
        std::mem::take(&mut self.incoming).into_values().for_each(Partial::close);
    }

    fn perform(&mut self, job: Job) -> Option<Reply> {
        Some(match job {
            Job::Source(path) => Reply::Source(Source::open(&path).map_err(|reason| (path, reason)), None),
            Job::Fetch(number, path) => {
                let source = self.folder().and_then(|folder| folder.source(&path));
                Reply::Source(source.map_err(|reason| (PathBuf::from(path), reason)), Some(number))
            }
            Job::Hold(number, source) => {
                self.outgoing.insert(number, source);
                return None;
            }
            Job::Check(number, offset, prefix) => match self.outgoing.get_mut(&number)?.begin(offset, prefix) {
                Ok(at) => Reply::Begins(number, at),
                Err(reason) => Reply::NotSent(number, reason),
            },
            Job::Read(number) => {
                let source = self.outgoing.get_mut(&number)?;
                match source.read(BLOCK) {
                    Ok(bytes) if bytes.is_empty() => Reply::End(number, source.hash()),
                    Ok(bytes) => Reply::Read(number, bytes),
                    Err(reason) => Reply::NotSent(number, reason),
                }
            }
            Job::CloseOutgoing(number) => {
                self.outgoing.remove(&number);
                return None;
            }
            Job::Open(number, name, size) => {
                let (name, tag) = (self.save_as.clone().unwrap_or(name), self.tag.clone());
                match self.folder().and_then(|folder| folder.partial(&name, &tag, size)) {
                    Ok(partial) => {
                        let here = partial.here();
                        self.incoming.insert(number, partial);
                        Reply::Opened(number, here)
                    }
                    Err(reason) => Reply::NotReceived(number, reason),
                }
            }
            Job::Write(number, offset, bytes) => {
                let written = self.incoming.get_mut(&number).map(|partial| partial.write(offset, &bytes));
                if let Some(Err(_)) = written {
                    // What is behind it may wait here already, and has no place any more.
                    self.incoming.remove(&number).into_iter().for_each(Partial::close);
                }
                Reply::Wrote(number, written.unwrap_or_else(|| Err("it was closed".to_owned())))
            }
            Job::Finish(number, hash) => match self.incoming.remove(&number)?.finish(hash) {
                Ok(file) => Reply::Finished(number, file, hash),
                Err(reason) => Reply::NotReceived(number, reason),
            },
            Job::Release => {
                self.incoming.values_mut().for_each(Partial::release);
                return None;
            }
            Job::CloseIncoming(number) => {
                self.incoming.remove(&number)?.close();
                return None;
            }
        })
    }

    fn folder(&mut self) -> Result<Folder, String> {
        if self.folder.is_none() {
            let folder = Folder::open(&self.path)?;
            folder.sweep(SystemTime::now());
            self.folder = Some(folder);
        }
        self.folder.clone().ok_or_else(|| "there is no folder for files".to_owned())
    }
}
