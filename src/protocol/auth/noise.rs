//! Noise by `snow`, with the caller's randomness.
//!
//! Rules:
//! - snow asks for randomness exactly once in the patterns used here, for the 32 bytes of the ephemeral key. They are drawn from the
//!   caller's generator beforehand and handed out once; asking again is an error, so no key is ever made twice from the same bytes.
//! - snow does not wipe its states; they live no longer than they are needed.

use std::cell::Cell;

use rand::{CryptoRng, RngCore};
use snow::{
    Builder, Error, HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::Zeroizing;

/// Room for the keys and tags that a handshake message has beside its payload: two keys, two tags.
const OVERHEAD: usize = 2 * (32 + 16);

/// Who sends the first message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::protocol) enum Role {
    /// The viewer.
    Initiator,
    /// The host.
    Responder,
}

/// A builder for this pattern and prologue whose ephemeral key comes from `rng`.
pub(in crate::protocol) fn builder<'a, R: RngCore + CryptoRng>(
    pattern: &str,
    prologue: &'a [u8],
    rng: &mut R,
) -> Result<Builder<'a>, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut seed[..]);
    let resolver = Resolver(Cell::new(Some(Box::new(Once(Some(seed))))));
    Builder::with_resolver(pattern.parse()?, Box::new(resolver)).prologue(prologue)
}

/// The next handshake message.
pub(in crate::protocol) fn write(noise: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, Error> {
    let mut message = vec![0; payload.len() + OVERHEAD];
    let length = noise.write_message(payload, &mut message)?;
    message.truncate(length);
    Ok(message)
}

/// The payload of a handshake message.
pub(in crate::protocol) fn read(noise: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut payload = vec![0; message.len()];
    let length = noise.read_message(message, &mut payload)?;
    payload.truncate(length);
    Ok(payload)
}

/// An x25519 key for one handshake.
pub(super) struct StaticKey {
    pub(super) private: Zeroizing<[u8; 32]>,
    pub(super) public: [u8; 32],
}

impl StaticKey {
    pub(super) fn fresh<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        let mut private = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut private[..]);
        let mut dh = DefaultResolver.resolve_dh(&DHChoice::Curve25519).expect("snow is built with x25519");
        dh.set(&private[..]);
        let mut public = [0; 32];
        public.copy_from_slice(dh.pubkey());
        Self { private, public }
    }
}

/// The default resolver, except for randomness.
struct Resolver(Cell<Option<Box<Once>>>);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        self.0.take().map(|once| once as Box<dyn Random>)
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// 32 random bytes, handed out once.
struct Once(Option<Zeroizing<[u8; 32]>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Error> {
        let seed = self.0.take().filter(|seed| seed.len() == destination.len()).ok_or(Error::Rng)?;
        destination.copy_from_slice(&seed[..]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::auth::testing::SeededRng;

    #[test]
    fn randomness_is_handed_out_once() {
        let mut once = Once(Some(Zeroizing::new([7; 32])));
        let mut bytes = [0; 32];
        assert!(once.try_fill_bytes(&mut bytes).is_ok());
        assert_eq!(bytes, [7; 32]);
        assert!(once.try_fill_bytes(&mut bytes).is_err());
    }

    #[test]
    fn the_same_seed_makes_the_same_first_message_and_another_seed_another() {
        let first = |seed| {
            let mut rng = SeededRng::new(seed);
            let key = StaticKey::fresh(&mut rng);
            let noise = builder("Noise_XX_25519_ChaChaPoly_BLAKE2s", b"", &mut rng).unwrap();
            write(&mut noise.local_private_key(&key.private[..]).unwrap().build_initiator().unwrap(), b"").unwrap()
        };
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }
}
