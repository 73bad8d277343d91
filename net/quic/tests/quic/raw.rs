//! A QUIC client without our manners, straight on quinn-proto, next to the server of a `Fixture`.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{
    ClientConfig, Connection, ConnectionError, ConnectionHandle, DatagramEvent, Endpoint,
    EndpointConfig, Event,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::fixture::{Fixture, STEP};

#[derive(Debug)]
struct TrustsAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustsAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Offers early data and remembers sessions.
pub(crate) fn tls_config(alpn: &[u8]) -> Arc<QuicClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAnyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config.enable_early_data = true;
    Arc::new(QuicClientConfig::try_from(config).unwrap())
}

pub(crate) struct RawClient {
    endpoint: Endpoint,
    handle: ConnectionHandle,
    pub quic: Connection,
    pub address: SocketAddr,
    pub connected: bool,
    pub events: Vec<Event>,
    pub lost: Option<ConnectionError>,
}

impl RawClient {
    pub(crate) fn connect(fixture: &mut Fixture, alpn: &[u8]) -> Self {
        Self::with_tls(fixture, tls_config(alpn))
    }

    pub(crate) fn with_tls(fixture: &mut Fixture, tls: Arc<QuicClientConfig>) -> Self {
        let mut endpoint =
            Endpoint::new(Arc::new(EndpointConfig::default()), None, true, Some([5; 32]));
        let config = ClientConfig::new(tls);
        let server = fixture.server_address;
        let (handle, quic) = endpoint.connect(fixture.now, config, server, "sortie").unwrap();
        let address = SocketAddr::from(([198, 51, 100, 7], 7_000));
        Self { endpoint, handle, quic, address, connected: false, events: Vec::new(), lost: None }
    }

    /// The application code with which the server closed.
    pub(crate) fn closed_with(&self) -> Option<u64> {
        match self.lost.as_ref()? {
            ConnectionError::ApplicationClosed(close) => Some(close.error_code.into_inner()),
            _ => None,
        }
    }

    #[track_caller]
    pub(crate) fn run_until(&mut self, fixture: &mut Fixture, done: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            if done(self) {
                return;
            }
            self.step(fixture);
        }
        panic!("not done after {:?}", STEP * 5_000);
    }

    /// One step of the fixture, with this client beside the players.
    pub(crate) fn step(&mut self, fixture: &mut Fixture) {
        self.exchange(fixture);
        fixture.server.handle_timeouts(fixture.now);
        while let Some(event) = fixture.server.poll_event() {
            fixture.events.push(event);
        }
    }

    /// Moves packets both ways at once, without a look at the server's events.
    pub(crate) fn exchange(&mut self, fixture: &mut Fixture) {
        fixture.now += STEP;
        let now = fixture.now;
        if self.quic.poll_timeout().is_some_and(|at| at <= now) {
            self.quic.handle_timeout(now);
        }
        let mut packet = Vec::new();
        while self.quic.poll_transmit(now, 1, &mut packet).is_some() {
            fixture.inject(self.address, &packet);
            packet.clear();
        }
        while let Some(transmit) = fixture.server.poll_transmit(now, &mut packet) {
            if transmit.to != self.address {
                continue;
            }
            let (server, data) = (fixture.server_address, BytesMut::from(&packet[..]));
            let mut out = Vec::new();
            let event = self.endpoint.handle(now, server, None, None, data, &mut out);
            if let Some(DatagramEvent::ConnectionEvent(_, event)) = event {
                self.quic.handle_event(event);
            }
        }
        while let Some(event) = self.quic.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.quic.handle_event(event);
            }
        }
        while let Some(event) = self.quic.poll() {
            match event {
                Event::Connected => self.connected = true,
                Event::ConnectionLost { reason } => self.lost = Some(reason),
                other => self.events.push(other),
            }
        }
    }
}
