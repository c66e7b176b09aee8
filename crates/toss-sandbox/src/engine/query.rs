//! Query strings.

use std::{borrow::Cow, str::FromStr};

use chrono::NaiveDate;

use super::errors::ApiError;

/// The parameters of a query string; of one that is repeated the last counts.
#[derive(Debug)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.rfind(|pair| pair.0 == name)?.1;
        Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy())
    }

    /// A number, or what it is if it is absent.
    ///
    /// # Errors
    /// `INVALID_REQUEST`.
    pub(super) fn number<T: FromStr>(&self, name: &str, absent: T) -> Result<T, ApiError> {
        match self.get(name) {
            None => Ok(absent),
            Some(text) => text.parse().map_err(|_| ApiError::new("INVALID_REQUEST")),
        }
    }

    /// A number of rows, `least` if it is absent.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for no number or one below `least`; `EXCEED_MAX_QUERY_LIMIT`.
    pub(super) fn limit(&self, name: &str, least: usize, most: usize) -> Result<usize, ApiError> {
        let limit = self.number(name, least)?;
        if limit < least {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        if limit > most {
            return Err(ApiError::new("EXCEED_MAX_QUERY_LIMIT"));
        }
        Ok(limit)
    }

    /// `yyyy-MM-dd`.
    ///
    /// # Errors
    /// `INVALID_DATE` if it is absent or no date.
    pub(super) fn date(&self, name: &str) -> Result<NaiveDate, ApiError> {
        self.get(name)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| ApiError::new("INVALID_DATE"))
    }
}
