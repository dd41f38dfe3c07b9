//! OPAQUE (RFC 9807) as `rs` uses it: the suite, the stretching, registration and both sides of a login.
//!
//! Rules:
//! - Suite: OPRF and 3DH over ristretto255 with SHA-512; KE1 96, KE2 320, KE3 64 bytes.
//! - Key stretching: Argon2id, m = 64 MiB, t = 3, p = 4, salt of 16 zero bytes (RFC 9807, section 7), version 0x13. It runs in the
//!   client only, and in the host when it registers a password.
//! - Server identifier: the host's Ed25519 key, at registration and login. The client identifier is left to OPAQUE's default,
//!   because the envelope binds it at registration, when no client is known yet. The client's key is bound by the context
//!   instead: it ends in the Noise handshake hash, which covers both sides' keys.
//! - The host registers with itself: it plays both sides, nothing is sent, and the password is forgotten.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialFinalization, CredentialRequest, CredentialResponse, Identifiers, Ristretto255, ServerLogin, ServerLoginParameters,
    ServerRegistration, ServerSetup, TripleDh,
    errors::{InternalError, ProtocolError},
    generic_array::{ArrayLength, GenericArray},
    ksf::Ksf,
};
use rand::{CryptoRng, RngCore};
use sha2::Sha512;
use zeroize::{Zeroize, Zeroizing};

use super::{Password, Verifier};
use crate::protocol::id::PeerKey;

/// There is one password at a host, so its record needs no name.
const CREDENTIAL: &[u8] = b"rs";

/// The cipher suite.
pub(super) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Stretch;
}

/// Argon2id with the parameters above; its memory is wiped.
#[derive(Default)]
pub(super) struct Stretch;

impl Ksf for Stretch {
    fn hash<L: ArrayLength<u8>>(&self, input: GenericArray<u8, L>) -> Result<GenericArray<u8, L>, InternalError> {
        let input = Zeroizing::new(input);
        let params = Params::new(64 * 1024, 3, 4, None).map_err(|_| InternalError::KsfError)?;
        let mut memory = Zeroizing::new(vec![Block::new(); params.block_count()]);
        let mut output = GenericArray::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(&input, &[0; 16], &mut output, memory.as_mut_slice())
            .map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}

/// What both sides have after a login.
pub(in crate::protocol) type SessionKey = Zeroizing<[u8; 64]>;

/// Why a login failed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::protocol) enum ProofError {
    /// Not a message of this protocol.
    Malformed,
    /// The two sides do not have the same password, host key or context.
    Wrong,
}

impl From<ProtocolError> for ProofError {
    fn from(error: ProtocolError) -> Self {
        if matches!(error, ProtocolError::InvalidLoginError) { Self::Wrong } else { Self::Malformed }
    }
}

/// Both sides of a registration.
pub(super) fn register<R: RngCore + CryptoRng>(
    password: &[u8; 64],
    setup: &ServerSetup<Suite>,
    host: &PeerKey,
    rng: &mut R,
) -> ServerRegistration<Suite> {
    let mut run = || -> Result<_, ProtocolError> {
        let client = ClientRegistration::start(rng, password)?;
        let server = ServerRegistration::start(setup, client.message, CREDENTIAL)?;
        let parameters = ClientRegistrationFinishParameters::new(identifiers(host), None);
        let upload = client.state.finish(rng, password, server.message, parameters)?.message;
        Ok(ServerRegistration::finish(upload))
    };
    run().expect("a registration with oneself has no other side that could err")
}

/// The client's side of a login.
pub(in crate::protocol) struct ClientProof {
    state: ClientLogin<Suite>,
    password: Zeroizing<[u8; 64]>,
}

impl ClientProof {
    /// Starts: the state and KE1.
    pub(in crate::protocol) fn start<R: RngCore + CryptoRng>(password: &Password, rng: &mut R) -> (Self, Vec<u8>) {
        let password = password.digest();
        let start = ClientLogin::start(rng, &password[..]).expect("a digest is never too long to be hashed to the group");
        (Self { state: start.state, password }, start.message.serialize().to_vec())
    }

    /// Takes KE2 and returns KE3. Takes 0.1–0.4 s and 64 MiB.
    pub(in crate::protocol) fn finish<R: RngCore + CryptoRng>(
        self,
        ke2: &[u8],
        host: &PeerKey,
        context: &[u8],
        rng: &mut R,
    ) -> Result<(Vec<u8>, SessionKey), ProofError> {
        let response = CredentialResponse::<Suite>::deserialize(of_length::<320>(ke2)?)?;
        let parameters = ClientLoginFinishParameters::new(Some(context), identifiers(host), None);
        let mut done = self.state.finish(rng, &self.password[..], response, parameters)?;
        done.export_key.as_mut_slice().zeroize();
        Ok((done.message.serialize().to_vec(), taken(&mut done.session_key)))
    }
}

/// The host's side of a login, after KE2.
pub(in crate::protocol) struct ServerProof(ServerLogin<Suite>);

impl ServerProof {
    /// Takes KE1; the state and KE2. From KE2 on the client can tell whether its guess was right.
    pub(in crate::protocol) fn start<R: RngCore + CryptoRng>(
        verifier: &Verifier,
        ke1: &[u8],
        host: &PeerKey,
        context: &[u8],
        rng: &mut R,
    ) -> Result<(Self, Vec<u8>), ProofError> {
        let request = CredentialRequest::deserialize(of_length::<96>(ke1)?)?;
        let record = Some(verifier.record.clone());
        let start = ServerLogin::start(rng, &verifier.setup, record, request, CREDENTIAL, parameters(host, context))?;
        Ok((Self(start.state), start.message.serialize().to_vec()))
    }

    /// Takes KE3.
    pub(in crate::protocol) fn finish(self, ke3: &[u8], host: &PeerKey, context: &[u8]) -> Result<SessionKey, ProofError> {
        let finalization = CredentialFinalization::deserialize(of_length::<64>(ke3)?)?;
        let mut done = self.0.finish(finalization, parameters(host, context))?;
        Ok(taken(&mut done.session_key))
    }
}

fn identifiers(host: &PeerKey) -> Identifiers<'_> {
    Identifiers { client: None, server: Some(&host.0) }
}

fn parameters<'a>(host: &'a PeerKey, context: &'a [u8]) -> ServerLoginParameters<'a, 'a> {
    ServerLoginParameters { context: Some(context), identifiers: identifiers(host) }
}

/// The crate reads its part of a message and ignores the rest; a message here is exactly as long as it must be.
fn of_length<const LENGTH: usize>(message: &[u8]) -> Result<&[u8], ProofError> {
    if message.len() == LENGTH { Ok(message) } else { Err(ProofError::Malformed) }
}

/// The key, and its first place wiped.
fn taken(key: &mut GenericArray<u8, opaque_ke::generic_array::typenum::U64>) -> SessionKey {
    let taken = Zeroizing::new((*key).into());
    key.as_mut_slice().zeroize();
    taken
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::protocol::auth::testing::SeededRng;

    const HOST: PeerKey = PeerKey([7; 32]);
    static VERIFIER: LazyLock<Verifier> =
        LazyLock::new(|| Verifier::new(&Password::typed("k7m4-q2xp"), &HOST, &mut SeededRng::new(1)));

    /// One login; the keys of both sides.
    fn login(typed: &str, client: (&PeerKey, &[u8]), server: (&PeerKey, &[u8])) -> Result<(SessionKey, SessionKey), ProofError> {
        let mut rng = SeededRng::new(2);
        let (proof, ke1) = ClientProof::start(&Password::typed(typed), &mut rng);
        let (expected, ke2) = ServerProof::start(&VERIFIER, &ke1, server.0, server.1, &mut rng)?;
        assert_eq!((ke1.len(), ke2.len()), (96, 320));
        let (ke3, key) = proof.finish(&ke2, client.0, client.1, &mut rng)?;
        Ok((key, expected.finish(&ke3, server.0, server.1)?))
    }

    #[test]
    fn the_right_password_gives_both_sides_one_key() {
        let (client, server) = login("K7M4 Q2XP", (&HOST, b"context"), (&HOST, b"context")).unwrap();
        assert!(client == server);
    }

    #[test]
    fn another_password_host_or_context_is_wrong() {
        let other = PeerKey([8; 32]);
        assert_eq!(login("k7m4-q2xq", (&HOST, b"context"), (&HOST, b"context")).err(), Some(ProofError::Wrong));
        assert_eq!(login("", (&HOST, b"context"), (&HOST, b"context")).err(), Some(ProofError::Wrong));
        assert_eq!(login("k7m4-q2xp", (&other, b"context"), (&other, b"context")).err(), Some(ProofError::Wrong));
        assert_eq!(login("k7m4-q2xp", (&HOST, b"context"), (&HOST, b"spliced")).err(), Some(ProofError::Wrong));
    }

    #[test]
    fn messages_of_another_length_or_off_the_curve_are_malformed() {
        let mut rng = SeededRng::new(2);
        for message in [&[][..], &[0; 95], &[0; 97], &[0; 96], &[0xff; 96]] {
            assert_eq!(ServerProof::start(&VERIFIER, message, &HOST, b"", &mut rng).err(), Some(ProofError::Malformed));
        }
        for message in [&[][..], &[0; 319], &[0; 321], &[0; 320], &[0xff; 320]] {
            let (proof, _) = ClientProof::start(&Password::typed("k7m4-q2xp"), &mut rng);
            assert_eq!(proof.finish(message, &HOST, b"", &mut rng).err(), Some(ProofError::Malformed));
        }
    }
}
