//! What asks for an erasure: the entries that apps read, oldest day first, then the requests this service wrote down.

use aws::get_object::get_object;
use aws::list_objects::{Object, list_page};
use aws::retry::retrying;
use domain::layout::REQUESTS;
use domain::request::Request;
use futures::stream::{LocalBoxStream, StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use crate::entries::{Entries, ListedEntry};
use crate::{App, Stop};

/// Something that asks.
#[derive(Debug)]
pub enum Asking {
    /// An entry, by its row in a listing.
    Entry(ListedEntry),
    /// A request, read.
    Request(Box<Request>),
}

/// Requests read at the same time.
const READS_IN_FLIGHT: usize = 16;

/// Everything that asks, as it is listed: memory does not grow with its number.
pub fn asking(app: &App, deadline: Instant) -> LocalBoxStream<'_, Result<Asking, Stop>> {
    entries(app, deadline).chain(requests(app, deadline)).boxed_local()
}

fn entries<'a>(app: &'a App, deadline: Instant) -> LocalBoxStream<'a, Result<Asking, Stop>> {
    let next = |entries: Option<Entries<'a>>| async {
        let mut entries = entries?;
        match entries.next().await {
            Ok(Some(entry)) => Some((Ok(Asking::Entry(entry)), Some(entries))),
            Ok(None) => None,
            // What could not be listed cannot be served; what was listed before is.
            Err(error) => Some((Err(error.into()), None)),
        }
    };
    futures::stream::unfold(Some(Entries::all(app, deadline)), next).boxed_local()
}

fn requests(app: &App, deadline: Instant) -> LocalBoxStream<'_, Result<Asking, Stop>> {
    let page = move |token: Option<Option<String>>| async move {
        let token = token?;
        let list = async || list_page(app.manifest(), REQUESTS, token.clone()).await;
        match retrying(deadline, list).await {
            Ok((objects, next)) => Some((Ok(objects), next.map(Some))),
            Err(error) => Some((Err(Stop::from(error)), None)),
        }
    };
    let pages = futures::stream::unfold(Some(None), page);
    let read = pages.map(move |page| match page {
        Ok(objects) => read_all(app, objects, deadline),
        Err(stop) => futures::stream::iter([Err(stop)]).boxed_local(),
    });
    read.flatten().boxed_local()
}

fn read_all(app: &App, objects: Vec<Object>, deadline: Instant) -> LocalBoxStream<'_, Result<Asking, Stop>> {
    let reads = futures::stream::iter(objects).map(move |object| async move {
        let got = retrying(deadline, async || get_object(app.manifest(), &object.key, None).await).await?;
        got.map(|got| Request::parse(&got.body).map_err(Stop::Refused)).transpose()
    });
    let read = reads.buffered(READS_IN_FLIGHT);
    read.try_filter_map(async |request| Ok(request.map(|request| Asking::Request(Box::new(request))))).boxed_local()
}
