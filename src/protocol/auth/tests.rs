//! The handshake as a whole: what it promises, message by message, and what it does with somebody in the middle.

use std::{sync::LazyLock, time::Duration};

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

use super::{
    AuthError, Authenticated, Code, DenyReason, Gate, Initiator, InitiatorStep, MAX_MESSAGE, Offer, Responder, ResponderStep,
    channel::{Channel, PATTERN, prologue},
    noise::{StaticKey, builder, read, write},
    testing::SeededRng,
    wire::{HostSays, Identity, Introduction, ViewerSays, decode, decode_versioned, sign},
};
use crate::protocol::{
    id::{HostId, PeerKey},
    password::{Password, Verifier},
    permission::Permissions,
};

const PASSWORD: &str = "k7m4-q2xp";
static HOST: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[1; 32]));
static ID: LazyLock<HostId> = LazyLock::new(|| HostId::of(&key_of(&HOST)));
static VERIFIER: LazyLock<Verifier> =
    LazyLock::new(|| Verifier::new(&Password::typed(PASSWORD), &key_of(&HOST), &mut SeededRng::new(100)));

fn key_of(key: &SigningKey) -> PeerKey {
    PeerKey(key.verifying_key().to_bytes())
}

fn offer() -> Offer {
    let identity = SigningKey::from_bytes(&[2; 32]);
    Offer { identity, host: *ID, expected: None, name: "Ann\n\u{202e}".to_owned(), wants: Permissions::all() }
}

/// How a whole handshake goes.
struct Run<'a> {
    offer: Offer,
    host: &'a SigningKey,
    id: HostId,
    gate: Gate<'a>,
    typed: &'a str,
    seed: u64,
}

impl Default for Run<'_> {
    fn default() -> Self {
        Self { offer: offer(), host: &HOST, id: *ID, gate: Gate::Password(&VERIFIER), typed: PASSWORD, seed: 1 }
    }
}

struct Ended {
    /// The session at the viewer and at the host, or the first error.
    result: Result<(Authenticated, Authenticated), AuthError>,
    /// Every message delivered, in order.
    transcript: Vec<Vec<u8>>,
    guesses: usize,
}

impl Run<'_> {
    /// Carries messages to and fro; `on_way` may change the one with this number before it is delivered.
    fn through(self, on_way: impl FnMut(usize, &mut Vec<u8>)) -> Ended {
        let mut ended = Ended { result: Err(AuthError::Protocol("not finished")), transcript: Vec::new(), guesses: 0 };
        ended.result = self.exchange(on_way, &mut ended.transcript, &mut ended.guesses);
        ended
    }

    fn exchange(
        self,
        mut on_way: impl FnMut(usize, &mut Vec<u8>),
        transcript: &mut Vec<Vec<u8>>,
        guesses: &mut usize,
    ) -> Result<(Authenticated, Authenticated), AuthError> {
        let mut rng = SeededRng::new(self.seed);
        let (mut viewer, first) = Initiator::new(self.offer, &mut rng);
        let mut host = Responder::new(self.host, self.id);
        let mut carry = |mut message: Vec<u8>| {
            on_way(transcript.len(), &mut message);
            transcript.push(message.clone());
            message
        };
        let mut to_host = carry(first);
        loop {
            let answer = match host.receive(&to_host, &mut rng)? {
                ResponderStep::Send(message) => message,
                ResponderStep::Guess(message) => {
                    *guesses += 1;
                    message
                }
                ResponderStep::Identified { key, name, wants } => {
                    assert_eq!((key, name.as_str(), wants), (key_of(&offer().identity), "Ann", Permissions::all()));
                    host.open(&self.gate, &mut rng)?
                }
                ResponderStep::Proved => break,
            };
            to_host = match viewer.receive(&carry(answer), &mut rng)? {
                InitiatorStep::Send(message) => carry(message),
                InitiatorStep::NeedPassword => {
                    let message = viewer.password(&Password::typed(self.typed), &mut rng)?;
                    carry(message)
                }
                InitiatorStep::Waiting(_) => break,
                InitiatorStep::Granted(_) => panic!("granted before it was"),
            };
        }
        let (waiting, shown) = host.waiting(&mut rng)?;
        let InitiatorStep::Waiting(Some(code)) = viewer.receive(&carry(waiting), &mut rng)? else { panic!("not waiting") };
        assert_eq!(code, shown);
        let (message, at_host) = host.grant(Permissions::view_only(), &mut rng)?;
        let InitiatorStep::Granted(at_viewer) = viewer.receive(&carry(message), &mut rng)? else { panic!("not granted") };
        assert_eq!(viewer.host_key(), Some(key_of(self.host)));
        Ok((*at_viewer, at_host))
    }

    fn undisturbed(self) -> Ended {
        self.through(|_, _| ())
    }
}

#[test]
fn the_right_password_gives_both_sides_one_session() {
    for gate in [Gate::Password(&VERIFIER), Gate::AskOnly] {
        let ended = Run { gate, ..Run::default() }.undisturbed();
        let Ok((viewer, host)) = ended.result else { panic!("no session") };
        assert!(viewer.session == host.session && viewer.lane_key() == host.lane_key());
        assert_eq!((viewer.peer, host.peer), (key_of(&HOST), key_of(&offer().identity)));
        assert_eq!((viewer.name.as_str(), host.name.as_str()), ("", "Ann"));
        assert_eq!((viewer.permissions, host.permissions), (Permissions::view_only(), Permissions::view_only()));
        assert!(ended.transcript.iter().all(|message| message.len() < MAX_MESSAGE / 4));
    }
}

/// A change here is a change of the wire: raise the version.
#[test]
fn the_transcript_is_frozen() {
    let fingerprint = |gate| {
        let ended = Run { gate, ..Run::default() }.undisturbed();
        let Ok((viewer, _)) = ended.result else { panic!("no session") };
        let lengths: Vec<_> = ended.transcript.iter().map(Vec::len).collect();
        let hash = |bytes: &[u8]| HEXLOWER.encode(&Sha256::digest(bytes)[..8]);
        (lengths, hash(&ended.transcript.concat()), hash(&viewer.lane_key()[..]))
    };
    let expected = (vec![32, 194, 167, 17, 114, 339, 82, 21, 35], "ab3a275c60a36b55".to_owned(), "973b7d4a3c0cbd4d".to_owned());
    assert_eq!(fingerprint(Gate::Password(&VERIFIER)), expected);
    let expected = (vec![32, 194, 167, 17, 21, 68], "ca2c128c5d30006c".to_owned(), "628fcfe0699dbcba".to_owned());
    assert_eq!(fingerprint(Gate::AskOnly), expected);
}

#[test]
fn a_wrong_password_ends_at_the_viewer_after_one_counted_guess() {
    let ended = Run { typed: "k7m4-q2xq", ..Run::default() }.undisturbed();
    assert_eq!(ended.result.err(), Some(AuthError::WrongPassword));
    assert_eq!((ended.guesses, ended.transcript.len()), (1, 6), "nothing follows KE2");
}

#[test]
fn another_host_learns_nothing_of_the_viewer() {
    let impostor = SigningKey::from_bytes(&[3; 32]);
    let ended = Run { host: &impostor, ..Run::default() }.undisturbed();
    assert_eq!((ended.result.err(), ended.transcript.len()), (Some(AuthError::WrongHost), 2), "its key does not hash to the ID");

    let pinned = Offer { expected: Some(key_of(&HOST)), ..offer() };
    let ended = Run { host: &impostor, offer: pinned, ..Run::default() }.undisturbed();
    assert_eq!((ended.result.err(), ended.transcript.len()), (Some(AuthError::IdentityChanged), 2));

    let ended = Run { host: &impostor, id: HostId::of(&key_of(&impostor)), ..Run::default() }.undisturbed();
    assert_eq!((ended.result.err(), ended.transcript.len()), (Some(AuthError::WrongHost), 2), "it has another ID");

    let pinned = Offer { expected: Some(key_of(&HOST)), ..offer() };
    assert!(Run { offer: pinned, ..Run::default() }.undisturbed().result.is_ok());
}

/// Damages each of these messages in several ways, one a handshake.
fn damage_each(gate: fn() -> Gate<'static>, messages: std::ops::Range<usize>) {
    let run = || Run { gate: gate(), ..Run::default() };
    let lengths: Vec<_> = run().undisturbed().transcript.iter().map(Vec::len).collect();
    for number in messages {
        let length = lengths[number];
        let last = length - 1;
        let flipped = [0, length / 2, last].map(|place| {
            run().through(|at, message| {
                if at == number {
                    message[place] ^= 1
                }
            })
        });
        let shorter = run().through(|at, message| {
            if at == number {
                message.truncate(last)
            }
        });
        let longer = run().through(|at, message| {
            if at == number {
                message.push(0)
            }
        });
        let empty = run().through(|at, message| {
            if at == number {
                message.clear()
            }
        });
        for (damage, ended) in flipped.into_iter().chain([shorter, longer, empty]).enumerate() {
            assert!(ended.result.is_err(), "damage {damage} of message {number}");
            assert!(ended.transcript.len() <= number + 1 + usize::from(number == 0), "noticed at once, or in #1 by the answer");
        }
    }
}

#[test]
fn every_message_changed_cut_or_lengthened_ends_in_an_error() {
    damage_each(|| Gate::AskOnly, 0..6);
    // KE1 and KE2; KE3 would cost an Argon2id each time and passes the same channel.
    damage_each(|| Gate::Password(&VERIFIER), 4..6);
}

#[test]
fn a_recorded_message_is_worth_nothing_in_another_handshake() {
    let recorded = Run::default().undisturbed().transcript;
    for (number, old) in recorded.iter().enumerate().take(7) {
        let ended = Run { seed: 2, ..Run::default() }.through(|at, message| {
            if at == number {
                message.clone_from(old)
            }
        });
        assert!(ended.result.is_err(), "message {number}");
        assert_eq!(ended.guesses, usize::from(number > 4), "no replay costs a guess");
    }
    let mut host = Responder::new(&HOST, *ID);
    let mut rng = SeededRng::new(3);
    let received: Vec<_> = recorded.iter().step_by(2).map(|old| host.receive(old, &mut rng).is_ok()).collect();
    assert!(received[0] && !received[1..].contains(&true), "a replayed viewer gets #2 and no further");
}

#[test]
fn a_message_that_is_too_long_ends_the_handshake() {
    for number in 0..5 {
        let ended = Run::default().through(|at, message| {
            if at == number {
                message.resize(MAX_MESSAGE + 1, 0)
            }
        });
        assert_eq!(ended.result.err(), Some(AuthError::Protocol("a message that is too long")));
    }
}

/// A host or viewer of the attacker's own making: the channel, and nothing of the rules.
struct Fake(Channel);

impl Fake {
    /// Plays a host that has `key`; returns the real viewer at its gate.
    fn host(key: &SigningKey, seed: u64) -> (Self, Initiator, SeededRng) {
        let mut rng = SeededRng::new(seed);
        let (mut viewer, first) = Initiator::new(offer(), &mut rng);
        let own = StaticKey::fresh(&mut rng);
        let prologue = prologue(*ID);
        let noise = builder(PATTERN, &prologue, &mut rng).unwrap();
        let mut noise = noise.local_private_key(&own.private[..]).unwrap().build_responder().unwrap();
        read(&mut noise, &first).unwrap();
        let payload = postcard::to_stdvec(&Identity::new(key, &sign(key, &own.public))).unwrap();
        let Ok(InitiatorStep::Send(third)) = viewer.receive(&write(&mut noise, &payload).unwrap(), &mut rng) else {
            panic!("refused")
        };
        read(&mut noise, &third).unwrap();
        (Self(Channel::new(noise).unwrap()), viewer, rng)
    }

    /// Plays a viewer; returns the real host that identified it.
    fn viewer(seed: u64) -> (Self, Responder, SeededRng) {
        let mut rng = SeededRng::new(seed);
        let key = SigningKey::generate(&mut rng);
        let own = StaticKey::fresh(&mut rng);
        let prologue = prologue(*ID);
        let noise = builder(PATTERN, &prologue, &mut rng).unwrap();
        let mut noise = noise.local_private_key(&own.private[..]).unwrap().build_initiator().unwrap();
        let mut host = Responder::new(&HOST, *ID);
        let Ok(ResponderStep::Send(second)) = host.receive(&write(&mut noise, &[]).unwrap(), &mut rng) else { panic!("refused") };
        decode_versioned::<Identity<'_>>(&read(&mut noise, &second).unwrap()).unwrap();
        let signature = sign(&key, &own.public);
        let introduction = Introduction { identity: Identity::new(&key, &signature), name: "", wants: Permissions::NONE };
        let third = write(&mut noise, &postcard::to_stdvec(&introduction).unwrap()).unwrap();
        assert!(matches!(host.receive(&third, &mut rng), Ok(ResponderStep::Identified { .. })));
        (Self(Channel::new(noise).unwrap()), host, rng)
    }
}

#[test]
fn a_thief_of_the_hosts_key_in_the_middle_cannot_carry_the_password_proof_over() {
    let (mut to_viewer, mut viewer, mut rng) = Fake::host(&HOST, 1);
    let (mut to_host, mut host, _) = Fake::viewer(2);
    to_host.0.open(&host.open(&Gate::Password(&VERIFIER), &mut rng).unwrap()).unwrap();
    assert!(matches!(viewer.receive(&to_viewer.0.seal(&HostSays::Open).unwrap(), &mut rng), Ok(InitiatorStep::NeedPassword)));
    let ke1 = to_viewer.0.open(&viewer.password(&Password::typed(PASSWORD), &mut rng).unwrap()).unwrap();
    let forwarded = to_host.0.seal(&decode::<ViewerSays<'_>>(&ke1).unwrap()).unwrap();
    let Ok(ResponderStep::Guess(ke2)) = host.receive(&forwarded, &mut rng) else { panic!("no KE2") };
    let ke2 = to_host.0.open(&ke2).unwrap();
    let forwarded = to_viewer.0.seal(&decode::<HostSays<'_>>(&ke2).unwrap()).unwrap();
    assert_eq!(viewer.receive(&forwarded, &mut rng).err(), Some(AuthError::WrongPassword));
}

#[test]
fn a_host_that_skips_the_password_after_asking_for_it_grants_nothing() {
    let grant = |material| HostSays::Granted { permissions: Permissions::all(), session: [0; 16], material };
    for says in [
        grant(None),
        grant(Some(&[0; 32][..])),
        HostSays::Waiting { code: Code(7) },
        HostSays::AskOnly,
        HostSays::Open,
        HostSays::Ke2(&[0; 320]),
    ] {
        let (mut fake, mut viewer, mut rng) = Fake::host(&HOST, 1);
        viewer.receive(&fake.0.seal(&HostSays::Open).unwrap(), &mut rng).unwrap();
        assert_eq!(viewer.receive(&fake.0.seal(&says).unwrap(), &mut rng).err(), Some(AuthError::Protocol("out of turn")));
    }
    for material in [None, Some(&[0; 31][..]), Some(&[0; 33][..])] {
        let (mut fake, mut viewer, mut rng) = Fake::host(&HOST, 1);
        viewer.receive(&fake.0.seal(&HostSays::AskOnly).unwrap(), &mut rng).unwrap();
        assert!(viewer.receive(&fake.0.seal(&grant(material)).unwrap(), &mut rng).is_err());
    }
}

#[test]
fn a_viewer_that_skips_its_turn_proves_nothing() {
    for says in [ViewerSays::Ke3(&[0; 64]), ViewerSays::Ke1(&[0; 96]), ViewerSays::Ke1(&[1; 5])] {
        let (mut fake, mut host, mut rng) = Fake::viewer(1);
        assert!(host.waiting(&mut rng).is_err());
        host.open(&Gate::Password(&VERIFIER), &mut rng).unwrap();
        assert!(host.receive(&fake.0.seal(&says).unwrap(), &mut rng).is_err());
        assert!(host.waiting(&mut rng).is_err() && host.busy(Duration::ZERO).is_err());
        assert!(host.grant(Permissions::all(), &mut rng).is_err());
    }
    let (mut fake, mut host, mut rng) = Fake::viewer(1);
    assert!(host.receive(&fake.0.seal(&ViewerSays::Ke3(&[0; 64])).unwrap(), &mut rng).is_err(), "before the gate is open");
}

#[test]
fn a_wrong_ke3_is_a_wrong_password_at_the_host() {
    let (mut fake, mut host, mut rng) = Fake::viewer(1);
    host.open(&Gate::Password(&VERIFIER), &mut rng).unwrap();
    let (_, ke1) = crate::protocol::password::ClientProof::start(&Password::typed("guess"), &mut rng);
    assert!(matches!(host.receive(&fake.0.seal(&ViewerSays::Ke1(&ke1)).unwrap(), &mut rng), Ok(ResponderStep::Guess(_))));
    assert_eq!(host.receive(&fake.0.seal(&ViewerSays::Ke3(&[9; 64])).unwrap(), &mut rng).err(), Some(AuthError::WrongPassword));
    assert!(host.deny(DenyReason::User).is_err(), "it is over");
}

#[test]
fn denied_and_busy_reach_the_viewer_at_any_point_after_the_gate() {
    for phase in 0..4 {
        for (says, error) in [
            (HostSays::Denied(DenyReason::PasswordRotated), AuthError::Denied(DenyReason::PasswordRotated)),
            (HostSays::Busy { milliseconds: 5500 }, AuthError::Busy(Duration::from_millis(5500))),
        ] {
            let (mut fake, mut viewer, mut rng) = Fake::host(&HOST, 1);
            if phase == 1 {
                viewer.receive(&fake.0.seal(&HostSays::AskOnly).unwrap(), &mut rng).unwrap();
            } else if phase > 1 {
                viewer.receive(&fake.0.seal(&HostSays::Open).unwrap(), &mut rng).unwrap();
            }
            if phase > 2 {
                viewer.password(&Password::typed(PASSWORD), &mut rng).unwrap();
            }
            assert_eq!(viewer.receive(&fake.0.seal(&says).unwrap(), &mut rng).err(), Some(error));
            assert_eq!(viewer.receive(&fake.0.seal(&says).unwrap(), &mut rng).err(), Some(AuthError::Protocol("out of turn")));
            assert!(viewer.password(&Password::typed(PASSWORD), &mut rng).is_err());
        }
    }
}

#[test]
fn a_host_may_say_busy_or_no_from_the_gate_on_and_not_before() {
    let mut idle = Responder::new(&HOST, *ID);
    assert!(idle.busy(Duration::ZERO).is_err() && idle.waiting(&mut SeededRng::new(1)).is_err());
    assert!(Responder::new(&HOST, *ID).deny(DenyReason::Full).is_err());
    let (mut fake, mut host, _) = Fake::viewer(1);
    let busy = fake.0.open(&host.busy(Duration::from_micros(5_999_001)).unwrap()).unwrap();
    assert!(matches!(decode(&busy), Ok(HostSays::Busy { milliseconds: 6000 })), "rounded up");
    let (mut fake, mut host, mut rng) = Fake::viewer(1);
    fake.0.open(&host.open(&Gate::Password(&VERIFIER), &mut rng).unwrap()).unwrap();
    assert!(host.open(&Gate::AskOnly, &mut rng).is_err(), "a gate opens once");
    let denied = fake.0.open(&host.deny(DenyReason::Timeout).unwrap()).unwrap();
    assert!(matches!(decode(&denied), Ok(HostSays::Denied(DenyReason::Timeout))));
}

#[test]
fn errors_say_in_one_line_what_happened_and_what_to_do() {
    assert_eq!(
        AuthError::Busy(Duration::from_millis(5001)).to_string(),
        "too many wrong passwords were tried at this host; try again in 6 seconds"
    );
    let errors = [AuthError::WrongHost, AuthError::IdentityChanged, AuthError::WrongPassword, AuthError::Protocol("out of turn")];
    let reasons = [DenyReason::User, DenyReason::Timeout, DenyReason::Full, DenyReason::PasswordRotated];
    for error in errors.into_iter().chain(reasons.map(AuthError::Denied)) {
        let text = error.to_string();
        assert!(text.contains("; ") && !text.contains('\n'), "{text}");
    }
}
