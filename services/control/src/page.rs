//! Pages of lists: a limit from 1 to 100 and an opaque cursor.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;

/// Most rows on a page.
pub const LIMIT_MAX: u32 = 100;
const LIMIT_DEFAULT: u32 = 50;
const CURSOR_BYTES_MAX: usize = 256;

/// The time that a cursor holds as microseconds since 1970. A forged one may lie where neither we
/// nor the database have a time.
///
/// # Errors
/// Before 1970, or after the year 9999.
pub fn time_of_micros(micros: i64) -> Result<OffsetDateTime, ApiError> {
    Some(micros)
        .filter(|micros| *micros >= 0)
        .and_then(|us| OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).ok())
        .ok_or_else(foreign)
}

fn foreign() -> ApiError {
    ApiError::invalid("request.cursor", "the cursor is none of ours")
}

/// What a caller asks for: `?limit=…&cursor=…`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows on the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<u32>,
    /// As the last page gave it; without it, from the beginning.
    pub cursor: Option<String>,
}

/// A page.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows, in order.
    pub items: Vec<T>,
    /// Asks for the next page; absent: this was the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl PageQuery {
    /// How many rows.
    ///
    /// # Errors
    /// Not 1 to 100.
    pub fn limit(&self) -> Result<i64, ApiError> {
        match self.limit.unwrap_or(LIMIT_DEFAULT) {
            limit @ 1..=LIMIT_MAX => Ok(i64::from(limit)),
            _ => Err(ApiError::invalid("request.limit", "limit must be 1 to 100")),
        }
    }

    /// Where the page begins: the key of the row before its first one.
    ///
    /// # Errors
    /// The cursor is none of ours.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, ApiError> {
        let Some(cursor) = self.cursor.as_deref().filter(|cursor| !cursor.is_empty()) else {
            return Ok(None);
        };
        if cursor.len() > CURSOR_BYTES_MAX {
            return Err(foreign());
        }
        let bytes = BASE64.decode(cursor).map_err(|_| foreign())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| foreign())
    }
}

impl<T> Page<T> {
    /// Of `rows`, asked for with one more than `limit`: the extra one only says that there is a
    /// next page.
    pub fn new<K: Serialize>(mut rows: Vec<T>, limit: i64, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let cursor = |row: &T| serde_json::to_vec(&key(row)).map(|key| BASE64.encode(key)).ok();
        let next_cursor = if has_more { rows.last().and_then(cursor) } else { None };
        Self { items: rows, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_the_next_page() {
        let page = Page::new(vec![5, 4, 3], 2, |row| *row);
        assert_eq!(page.items, [5, 4]);
        let next = PageQuery { limit: Some(2), cursor: page.next_cursor };
        assert_eq!(next.after::<i32>().unwrap(), Some(4));
        assert_eq!(Page::new(vec![3], 2, |row| *row).next_cursor, None);
    }

    #[test]
    fn bad_cursors_and_limits_are_refused() {
        let of = |limit, cursor: &str| PageQuery { limit, cursor: Some(cursor.to_owned()) };
        assert!(of(Some(0), "").limit().is_err() && of(Some(101), "").limit().is_err());
        assert_eq!(of(None, "").limit().unwrap(), 50);
        assert!(of(None, "!!").after::<i32>().is_err());
        assert!(of(None, &"A".repeat(10_000)).after::<i32>().is_err());
        assert!(of(None, "").after::<i32>().unwrap().is_none());
    }

    #[test]
    fn times_in_cursors_are_times_of_ours() {
        assert_eq!(time_of_micros(0).unwrap(), OffsetDateTime::UNIX_EPOCH);
        assert!(time_of_micros(253_402_300_799_000_000).is_ok(), "the end of 9999");
        for micros in [-1, i64::MIN, i64::MAX, 253_402_300_800_000_000] {
            assert_eq!(time_of_micros(micros).unwrap_err().code(), "request.cursor", "{micros}");
        }
    }
}
