//! What every gRPC listener has: `grpc.health.v1` and server reflection, for probes and grpcurl.
//! Both speak of what is served there, and of nothing else.

use futures_util::FutureExt;
use prost::Message;
use prost_types::FileDescriptorSet;
use sortie_rpc::DESCRIPTORS;
use tonic::service::RoutesBuilder;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tonic_reflection::server::Builder;

/// What a listener says of itself over `grpc.health.v1`.
#[derive(Clone, Debug)]
pub struct RpcHealth {
    reporter: HealthReporter,
    services: Vec<&'static str>,
}

impl RpcHealth {
    /// Says not serving, of each service and of the whole. Whoever watches hears it, and looks for
    /// another node.
    pub async fn drain(&self) {
        for name in std::iter::once(&"").chain(&self.services) {
            self.reporter.set_service_status(*name, ServingStatus::NotServing).await;
        }
    }
}

/// Adds health and reflection (v1, and v1alpha for older tools) for the services of a listener, by
/// their full names. Health says serving for each of them and for the whole (the empty name), until
/// it drains. Reflection lists them; it knows the messages of all, because they refer to each
/// other.
///
/// # Panics
/// The descriptors that came with the program cannot be read.
pub fn health_and_reflection(
    routes: &mut RoutesBuilder,
    services: impl IntoIterator<Item = &'static str>,
) -> RpcHealth {
    let services = Vec::from_iter(services);
    let reporter = HealthReporter::new();
    for name in &services {
        // Nobody else has the reporter yet: there is nothing to wait for.
        reporter.set_service_status(*name, ServingStatus::Serving).now_or_never();
    }
    let health = tonic_health::server::HealthService::from_health_reporter(reporter.clone());
    routes.add_service(tonic_health::pb::health_server::HealthServer::new(health));
    let reflection = || {
        let described = Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        services.iter().fold(described, |described, name| described.with_service_name(*name))
    };
    let readable = "the descriptors that came with the program";
    routes.add_service(reflection().build_v1().expect(readable));
    routes.add_service(reflection().build_v1alpha().expect(readable));
    RpcHealth { reporter, services }
}

/// Full names of all services that the product has a description of.
///
/// # Panics
/// The descriptors that came with the program cannot be read.
pub fn service_names() -> Vec<String> {
    let set = FileDescriptorSet::decode(DESCRIPTORS).expect("the descriptors can be read");
    let names = set.file.iter().flat_map(|file| {
        file.service.iter().map(|service| format!("{}.{}", file.package(), service.name()))
    });
    names.collect()
}
