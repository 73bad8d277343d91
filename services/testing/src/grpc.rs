//! Every gRPC method, called with every kind of credential.
//!
//! [`authorisation_faults`] serves the tests of the fleet's listeners and those of the program,
//! which hold the listeners that it really opens against the same table.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use prost_types::FileDescriptorSet;
use sortie_rpc::DESCRIPTORS;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Battle servers that register, and tools, with the fleet's secret, on the internal listener.
    Secret,
    /// Registered battle servers with their credential, on the internal listener. Those that are
    /// older than credentials show the secret.
    Server,
    /// Players with an access token, on the public listener.
    Player,
}

/// Every method and who may call it. A method that is not here is a fault.
pub const EXPECTED: &[(&str, For)] = &[
    ("/sortie.fleet.v1.Fleet/Register", For::Secret),
    ("/sortie.fleet.v1.Fleet/Serve", For::Server),
    ("/sortie.fleet.v1.Fleet/ListServers", For::Secret),
    ("/sortie.fleet.v1.Fleet/Drain", For::Secret),
    ("/sortie.fleet.v1.Fleet/EndBattle", For::Secret),
    ("/sortie.fleet.v1.Fleet/Kick", For::Secret),
    ("/sortie.ranking.v1.Results/Report", For::Server),
    ("/sortie.game.v1.Game/ListBattles", For::Player),
    ("/sortie.game.v1.Game/GetBattle", For::Player),
    ("/sortie.game.v1.Game/WatchBattle", For::Player),
    ("/sortie.game.v1.Game/GetPlayerStatistics", For::Player),
];

/// The listeners, and credentials that are good for one of them each.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// Where battle servers connect.
    pub internal: SocketAddr,
    /// Where players and tools connect.
    pub public: SocketAddr,
    /// The fleet's secret.
    pub secret: String,
    /// The credential of a battle server.
    pub credential: String,
    /// An access token of a player.
    pub token: String,
    /// The same, of a login that has ended.
    pub ended: String,
}

/// Paths of all methods in [`DESCRIPTORS`].
///
/// # Panics
/// The descriptors cannot be read.
pub fn methods() -> Vec<String> {
    let set = FileDescriptorSet::decode(DESCRIPTORS).expect("the descriptors can be read");
    let mut methods = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let service_name = format!("{}.{}", file.package(), service.name());
            let paths = service.method.iter().map(|method| method.name());
            methods.extend(paths.map(|method| format!("/{service_name}/{method}")));
        }
    }
    methods
}

/// Calls every method with no credential, a wrong secret, a player's token, one of a login that
/// has ended, a server's credential, and the secret; gives a line for everything that is not as
/// [`EXPECTED`] says, and how many calls were made.
///
/// # Panics
/// A listener cannot be reached.
pub async fn authorisation_faults(at: &Listeners) -> (Vec<String>, usize) {
    let (mut faults, mut calls) = (Vec::new(), 0);
    for path in methods() {
        let Some((_, who)) = EXPECTED.iter().find(|(known, _)| *known == path) else {
            faults.push(format!("{path} has no expectation"));
            continue;
        };
        let is_internal = matches!(who, For::Secret | For::Server);
        let listener = if is_internal { at.internal } else { at.public };
        let credentials = [
            ("no credential", None, false),
            ("a wrong secret", Some("a secret that is none of ours"), false),
            ("a player's token", Some(at.token.as_str()), *who == For::Player),
            ("a token of a login that has ended", Some(at.ended.as_str()), false),
            ("a server's credential", Some(at.credential.as_str()), *who == For::Server),
            ("the secret", Some(at.secret.as_str()), is_internal),
        ];
        for (name, credential, passes) in credentials {
            let code = call(listener, &path, credential).await;
            calls += 1;
            let is_right = match code {
                Code::Unauthenticated => !passes,
                // Nothing of these is what a caller who may call hears to an empty message.
                Code::PermissionDenied | Code::Unimplemented | Code::Internal => false,
                _ => passes,
            };
            if !is_right {
                faults.push(format!("{path} with {name}: {code:?}"));
            }
        }
    }
    let stale = EXPECTED.iter().filter(|(path, _)| !methods().iter().any(|known| known == path));
    faults.extend(stale.map(|(path, _)| format!("{path} is expected and not there")));
    (faults, calls)
}

/// A connection to a listener.
///
/// # Panics
/// It cannot be reached.
pub async fn connect(at: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{at}")).expect("an address");
    endpoint.connect().await.expect("a listener")
}

/// Calls any method with one empty message; how it ended.
async fn call(at: SocketAddr, path: &str, credential: Option<&str>) -> Code {
    let mut grpc = Grpc::new(connect(at).await);
    grpc.ready().await.expect("a listener");
    let mut request = Request::new(tokio_stream::once(Bytes::new()));
    if let Some(credential) = credential {
        let value = format!("Bearer {credential}").parse().expect("an ASCII credential");
        request.metadata_mut().insert("authorization", value);
    }
    let path = PathAndQuery::try_from(path).expect("a path");
    let outcome = async {
        let mut answers = grpc.streaming(request, path, Raw).await?.into_inner();
        while answers.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    outcome.await.map_or_else(|status| status.code(), |()| Code::Ok)
}

/// Messages as they lie on the wire.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let count = bytes.remaining();
        Ok(Some(bytes.copy_to_bytes(count)))
    }
}
