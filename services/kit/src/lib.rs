//! What two services repeat: telemetry, health and metrics listener, shutdown.
