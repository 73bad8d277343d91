//! Battle servers: registration, leases, orders; battles as others see them.
