//! Lists as streams: the pages are turned behind the scenes, one ahead of need.

use futures_util::{Stream, StreamExt as _, stream};

use super::TossClient;
use crate::{
    CashReceipt, CashReceiptQuery, Endpoint, Error, RawBody, Settlement, SettlementQuery,
    Transaction, TransactionQuery,
};

/// More pages than any honest list has; what needs more is asked for in smaller periods.
const PAGES_MAX: u32 = 10_000;

/// Where a list goes on.
pub(super) enum Next<Q> {
    Page(Q, u32),
    End,
}

/// One page: its rows and the question for the next.
pub(super) type Turned<T, Q> = (Vec<T>, Option<Q>);

/// Rows of all pages; ends after the first error.
pub(super) fn rows<T, Q, F>(
    endpoint: Endpoint,
    first: Q,
    turn: impl Fn(Q) -> F,
) -> impl Stream<Item = Result<T, Error>>
where
    F: Future<Output = Result<Turned<T, Q>, Error>>,
{
    let turn = move |next: Next<Q>| {
        let page = match next {
            Next::Page(query, number) => Some((turn(query), number)),
            Next::End => None,
        };
        async move {
            let (page, number) = page?;
            let turned = page.await.and_then(|turned| match turned.1 {
                Some(_) if number >= PAGES_MAX => Err(endless(endpoint)),
                _ => Ok(turned),
            });
            Some(match turned {
                Ok((rows, Some(query))) => (Ok(rows), Next::Page(query, number + 1)),
                Ok((rows, None)) => (Ok(rows), Next::End),
                Err(error) => (Err(error), Next::End),
            })
        }
    };
    stream::unfold(Next::Page(first, 1), turn).flat_map(|page| {
        let rows: Vec<_> = match page {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(rows)
    })
}

/// Rows of all pages of version 2, each of which names the next one's cursor.
#[cfg(feature = "payouts")]
pub(super) fn cursors<T, F>(
    endpoint: Endpoint,
    turn: impl Fn(Option<String>) -> F,
) -> impl Stream<Item = Result<T, Error>>
where
    F: Future<Output = Result<crate::Page<T>, Error>>,
{
    rows(endpoint, None::<String>, move |cursor| {
        let page = turn(cursor.clone());
        async move {
            let page = page.await?;
            let next = match page.last_cursor {
                _ if !page.has_next => None,
                Some(next) if Some(&next) != cursor.as_ref() => Some(Some(next)),
                _ => return Err(endless(endpoint)),
            };
            Ok((page.items, next))
        }
    })
}

/// A list that does not come to an end: a cursor that stands still, or pages without number.
pub(super) fn endless(endpoint: Endpoint) -> Error {
    Error::Undecodable {
        endpoint,
        status: 200,
        reason: "the list does not come to an end".to_owned(),
        body: RawBody::default(),
        trace_id: None,
    }
}

impl TossClient {
    /// All transactions of the period, page by page from the query's cursor on.
    ///
    /// Each item can be an error, after which the stream ends. Rows seen until then are good; go
    /// on with [`TransactionQuery::starting_after`] the last of them.
    pub fn all_transactions(
        &self,
        query: TransactionQuery,
    ) -> impl Stream<Item = Result<Transaction, Error>> {
        let endpoint = Endpoint::ListTransactions;
        rows(endpoint, query, move |query| async move {
            let page = self.transactions(&query).await?.value;
            let next = match page.last().map(|row| &row.transaction_key) {
                None => None,
                Some(key) if query.cursor() == Some(key.as_str()) => {
                    return Err(endless(endpoint));
                }
                Some(key) => Some(query.starting_after(key.as_str())),
            };
            Ok((page, next))
        })
    }

    /// All settlements of the period, from the query's page on; an empty page ends them. Items as
    /// for [`all_transactions`](Self::all_transactions).
    pub fn all_settlements(
        &self,
        query: SettlementQuery,
    ) -> impl Stream<Item = Result<Settlement, Error>> {
        rows(Endpoint::ListSettlements, query, move |query| async move {
            let page = self.settlements(&query).await?.value;
            let number = query.number().saturating_add(1);
            let next = (!page.is_empty()).then(|| query.page(number));
            Ok((page, next))
        })
    }

    /// All cash receipts of the day, from the query's cursor on. Items as for
    /// [`all_transactions`](Self::all_transactions).
    pub fn all_cash_receipts(
        &self,
        query: CashReceiptQuery,
    ) -> impl Stream<Item = Result<CashReceipt, Error>> {
        let endpoint = Endpoint::ListCashReceipts;
        rows(endpoint, query, move |query| async move {
            let page = self.cash_receipts(&query).await?.value;
            if !page.has_next {
                return Ok((page.items, None));
            }
            let cursor = page
                .last_cursor
                .as_deref()
                .and_then(|text| text.parse().ok());
            match cursor {
                Some(cursor) if query.place() != Some(cursor) => {
                    Ok((page.items, Some(query.cursor(cursor))))
                }
                _ => Err(endless(endpoint)),
            }
        })
    }
}
