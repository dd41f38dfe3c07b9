//! Both ends against each other and a disk in memory: whatever ends in between, each byte arrives once; whatever a peer sends, it is bounded.

use proptest::prelude::*;

use super::{
    receiving::{self, Receiving, State},
    sending::{self, Sending},
    *,
};

/// What the receiver has, over all sessions.
#[derive(Default)]
struct Disk {
    partial: Vec<u8>,
    whole: Option<Vec<u8>>,
    /// Bytes of data that came.
    came: usize,
}

fn hash(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

/// One session that sends `file` in chunks of at most `room` bytes, and ends after so many chunks. Whether it arrived.
fn session(file: &[u8], disk: &mut Disk, chunks: usize, room: usize) -> bool {
    let (mut sender, mut receiver) = (Sending::default(), Receiving::default());
    let (mut read, mut verified, mut sent) = (0, false, 0);
    sender.offer("name".to_owned(), file.len() as u64, None);
    loop {
        let mut idle = true;
        while let Some(step) = sender.poll() {
            idle = false;
            match step {
                sending::Step::Send(FileMessage::Offer(offer)) => {
                    let number = offer.number;
                    assert!(receiver.offered(offer) && receiver.accept(number));
                }
                sending::Step::Send(FileMessage::Stop { number, reason }) => receiver.stopped(number, &reason),
                sending::Step::Send(message) => panic!("{message:?}"),
                sending::Step::Check(number, offset, prefix) => {
                    let has = usize::try_from(offset).expect("small");
                    read = if hash(&file[..has]) == prefix { has } else { 0 };
                    sender.checked(number, read as u64);
                }
                sending::Step::Read(number) if read == file.len() => sender.ended(number, hash(file)),
                sending::Step::Read(number) => {
                    let end = file.len().min(read + 1000);
                    sender.read(number, &file[read..end]);
                    read = end;
                }
                sending::Step::Tell(report) => verified |= report.state == State::Done,
                sending::Step::Close(_) => {}
            }
        }
        while let Some(step) = receiver.poll() {
            idle = false;
            match step {
                receiving::Step::Send(FileMessage::Accept { number, offset, prefix }) => {
                    assert!(sender.accepted(number, offset, prefix));
                }
                receiving::Step::Send(FileMessage::Verified { number }) => assert!(sender.verified(number)),
                receiving::Step::Send(FileMessage::Refuse { number, reason }) => sender.refused(number, &reason),
                receiving::Step::Send(message) => panic!("{message:?}"),
                receiving::Step::Open(number, _, size) => {
                    if disk.partial.len() as u64 > size {
                        disk.partial.clear();
                    }
                    receiver.opened(number, disk.partial.len() as u64, hash(&disk.partial));
                }
                receiving::Step::Write(number, offset, bytes) => {
                    disk.partial.truncate(usize::try_from(offset).expect("small"));
                    assert_eq!(disk.partial.len() as u64, offset);
                    disk.partial.extend(&bytes);
                    disk.came += bytes.len();
                    receiver.written(number, disk.partial.len() as u64);
                }
                receiving::Step::Finish(number, whole) => {
                    assert_eq!(hash(&disk.partial), whole);
                    disk.whole = Some(std::mem::take(&mut disk.partial));
                    receiver.finished(number);
                }
                receiving::Step::Tell(_) | receiving::Step::Close(_) | receiving::Step::Taken => {}
            }
        }
        if sender.is_ready() {
            if sent == chunks {
                return verified;
            }
            idle = false;
            sent += 1;
            let chunk = sender.chunk(room, 0).expect("it is ready");
            assert!(receiver.chunk(&chunk));
        }
        if idle {
            return verified;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_file_arrives_once_whatever_ends_in_between(
        file in prop::collection::vec(any::<u8>(), 0..5000),
        breaks in prop::collection::vec((0..12_usize, 30..400_usize), 0..8),
        stale in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut disk = Disk { partial: stale.clone(), ..Disk::default() };
        let broken = breaks.into_iter().any(|(chunks, room)| session(&file, &mut disk, chunks, room));
        prop_assert!(broken || session(&file, &mut disk, usize::MAX, 300));
        prop_assert_eq!(disk.whole.as_ref(), Some(&file));
        prop_assert!(disk.came <= file.len(), "no byte comes twice");
    }

    #[test]
    fn any_chunks_and_words_are_bounded_and_never_panic(words in prop::collection::vec((0..6_u8, 0..4_u32, 0..40_u64), 0..200)) {
        let (mut sender, mut receiver) = (Sending::default(), Receiving::default());
        sender.offer("name".to_owned(), 20, None);
        for (kind, number, at) in words {
            let _ = match kind {
                0 => receiver.offered(Offer { number, name: "name".to_owned(), size: at, fetch: None }) && receiver.accept(number),
                1 => receiver.chunk(&Chunk::Data { number, offset: at, bytes: &[1; 7] }.encode()),
                2 => receiver.chunk(&Chunk::Done { number, hash: [0; 32] }.encode()),
                3 => sender.accepted(number, at, [0; 32]),
                4 => sender.verified(number),
                _ => receiver.chunk(&[number as u8, at as u8]),
            };
            while let Some(step) = receiver.poll() {
                match step {
                    receiving::Step::Open(number, ..) => receiver.opened(number, 0, hash(&[])),
                    receiving::Step::Write(_, offset, bytes) => prop_assert!(offset + bytes.len() as u64 <= 40),
                    _ => {}
                }
            }
            while sender.poll().is_some() {}
        }
    }
}

#[test]
fn ten_thousand_offers_and_names_that_are_none_are_refused_in_one_line() {
    let mut receiver = Receiving::default();
    for number in 1..=10_000 {
        let name = if number % 100 == 1 { "../x".to_owned() } else { format!("name {number}") };
        receiver.offered(Offer { number, name, size: u64::MAX, fetch: None });
    }
    let (mut told, mut refused) = (0, 0);
    while let Some(step) = receiver.poll() {
        match step {
            receiving::Step::Tell(_) => told += 1,
            receiving::Step::Send(FileMessage::Refuse { reason, .. }) => {
                assert!(reason.len() <= MAX_REASON && !reason.contains('\n'));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((told, refused), (MAX_TRANSFERS, 10_000 - MAX_TRANSFERS));
}

#[test]
fn more_bytes_than_offered_or_others_than_the_next_fail_the_file() {
    for (offset, bytes) in [(0, 11), (5, 1), (0, 0), (u64::MAX, 5)] {
        let mut receiver = Receiving::default();
        assert!(receiver.offered(Offer { number: 1, name: "name".to_owned(), size: 10, fetch: None }) && receiver.accept(1));
        receiver.opened(1, 0, hash(&[]));
        assert!(receiver.chunk(&Chunk::Data { number: 1, offset, bytes: &vec![0; bytes] }.encode()));
        let steps: Vec<_> = std::iter::from_fn(|| receiver.poll()).collect();
        let fails =
            |step: &receiving::Step| matches!(step, receiving::Step::Tell(report) if matches!(report.state, State::Failed(_)));
        assert!(steps.iter().any(fails) && !steps.iter().any(|step| matches!(step, receiving::Step::Write(..))), "{steps:?}");
    }
}
