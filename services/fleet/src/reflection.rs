//! What every gRPC listener has: `grpc.health.v1` and server reflection, for probes and grpcurl.

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
pub struct RpcHealth(HealthReporter);

impl RpcHealth {
    /// Says not serving, of each service and of the whole. Whoever watches hears it, and looks for
    /// another node.
    pub async fn drain(&self) {
        let whole = String::new();
        for name in std::iter::once(whole).chain(service_names()) {
            self.0.set_service_status(name, ServingStatus::NotServing).await;
        }
    }
}

/// Adds health and reflection (v1, and v1alpha for older tools) for all services of the product.
/// Health says serving for each of them and for the whole (the empty name), until it drains.
///
/// # Panics
/// The descriptors that came with the program cannot be read.
pub fn health_and_reflection(routes: &mut RoutesBuilder) -> RpcHealth {
    let reporter = HealthReporter::new();
    for name in service_names() {
        // Nobody else has the reporter yet: there is nothing to wait for.
        reporter.set_service_status(name, ServingStatus::Serving).now_or_never();
    }
    let health = tonic_health::server::HealthService::from_health_reporter(reporter.clone());
    routes.add_service(tonic_health::pb::health_server::HealthServer::new(health));
    let reflection = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let readable = "the descriptors that came with the program";
    routes.add_service(reflection().build_v1().expect(readable));
    routes.add_service(reflection().build_v1alpha().expect(readable));
    RpcHealth(reporter)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_of_the_product_are_known() {
        let names = service_names();
        for name in ["sortie.fleet.v1.Fleet", "sortie.game.v1.Game", "sortie.ranking.v1.Results"] {
            assert!(names.iter().any(|known| known == name), "{name} of {names:?}");
        }
    }
}
