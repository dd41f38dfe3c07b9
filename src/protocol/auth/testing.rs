//! Helpers of the tests of this floor.

use ed25519_dalek::SigningKey;
use rand::{CryptoRng, Error, RngCore};
use sha2::{Digest, Sha256};

use super::{Authenticated, Gate, Initiator, InitiatorStep, Offer, Responder, ResponderStep};
use crate::protocol::{
    id::{HostId, PeerKey},
    permission::Permissions,
};

/// SHA-256 of a seed and a counter: the same bytes for a seed in every version of every crate, for frozen vectors. Only for tests.
pub(in crate::protocol) struct SeededRng {
    seed: u64,
    counter: u64,
}

impl SeededRng {
    pub(in crate::protocol) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }
}

impl RngCore for SeededRng {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_be_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) << 32 | u64::from(self.next_u32())
    }

    fn fill_bytes(&mut self, destination: &mut [u8]) {
        for chunk in destination.chunks_mut(32) {
            let block = Sha256::digest([self.seed.to_be_bytes(), self.counter.to_be_bytes()].concat());
            chunk.copy_from_slice(&block[..chunk.len()]);
            self.counter += 1;
        }
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(destination);
        Ok(())
    }
}

impl CryptoRng for SeededRng {}

/// A session as both sides have it, the viewer's first; by a whole handshake without a password (one Argon2id for the ID).
pub(in crate::protocol) fn session(seed: u64) -> (Authenticated, Authenticated) {
    let mut rng = SeededRng::new(seed);
    let host = SigningKey::generate(&mut rng);
    let id = HostId::of(&PeerKey(host.verifying_key().to_bytes()));
    let offer = Offer {
        identity: SigningKey::generate(&mut rng),
        host: id,
        expected: None,
        name: "Ann".to_owned(),
        wants: Permissions::all(),
    };
    let (mut viewer, first) = Initiator::new(offer, &mut rng);
    let mut responder = Responder::new(&host, id);
    let Ok(ResponderStep::Send(second)) = responder.receive(&first, &mut rng) else { panic!("an answer") };
    let Ok(InitiatorStep::Send(third)) = viewer.receive(&second, &mut rng) else { panic!("an introduction") };
    let Ok(ResponderStep::Identified { .. }) = responder.receive(&third, &mut rng) else { panic!("a viewer") };
    let gate = responder.open(&Gate::AskOnly, &mut rng).unwrap();
    let Ok(InitiatorStep::Waiting(None)) = viewer.receive(&gate, &mut rng) else { panic!("an open gate") };
    let (grant, at_host) = responder.grant(Permissions::all(), &mut rng).unwrap();
    let Ok(InitiatorStep::Granted(at_viewer)) = viewer.receive(&grant, &mut rng) else { panic!("a grant") };
    (*at_viewer, at_host)
}
