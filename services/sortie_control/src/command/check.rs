//! `sortie-control check`: would `sortie-control serve` start with this configuration?

use anyhow::Context;
use serde_json::json;
use sortie_control::store;

use crate::command::serve::{self, ServeArgs};
use crate::control_plane::node;
use crate::runtime;
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;

/// Checks options, keys, queues, database with its schema, and Redis; starts nothing. With
/// `--dev`, missing keys are made, as `serve` would: they are what is checked.
pub(crate) fn run(args: &ServeArgs, common: &Common) -> Result {
    let checked = serve::check(args)?;
    runtime::small().or_fail(Failure::Start)?.block_on(async {
        let redis = args.redis();
        let (url, access) = checked.outside();
        let app = node::app(url, 2, redis, access).await.or_fail(Failure::Start)?;
        store::require_direct(&app.db).await.or_fail(Failure::Promise)?;
        store::require_current(&app.db).await.or_fail(Failure::Promise)?;
        store::require_writable(&app.db).await.or_fail(Failure::Promise)?;
        if redis.is_some() {
            app.bus
                .boards
                .size("check")
                .await
                .context("Redis is away")
                .or_fail(Failure::Promise)?;
        }
        Ok(())
    })?;
    if common.json {
        sortie_cli::say!("{}", json!({"ok": true}));
    } else {
        sortie_cli::say!(
            "all is well: keys, queues, database, schema{}",
            match args.redis_url {
                Some(_) => ", Redis",
                None => "",
            }
        );
    }
    Ok(())
}
