//! Accounts: sign-up, login, refresh, profiles, data export and erasure.
