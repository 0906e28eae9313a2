//! Bodies, read under deadlines into memory that is reserved as their bytes arrive.

use crate::engine::{BudgetSpent, Reservation};
use crate::http::meter::RATE;
use crate::http::{Call, Door, Failure};
use crate::service::settings::ServiceSettings;
use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_LENGTH, EXPECT, HeaderMap};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// What stands around the picture in a form, at most.
const FORM_BYTES: u64 = 64 << 10;

/// A body that has arrived whole, and the memory it holds.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    pub(crate) memory: Reservation,
}

/// Passes over the body of a request that is refused before it has come, so that the connection lives on for the next
/// request: after the answer where the body has a length, else beside it. One that waits to be asked for is left, and the
/// connection ends with the answer.
pub(crate) fn pass_over(door: &Door, call: &Call, headers: &HeaderMap, body: Body) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let Some(body) = call.leave_body(body) else { return };
    let (total, stall) = (unwanted_time(&door.settings.door), door.settings.door.stall_timeout);
    let unwanted = call.meter.pass_over();
    tokio::spawn(async move {
        let mut parts = body.into_data_stream();
        let all = async { while let Ok(Some(Ok(_))) = timeout(stall, parts.next()).await {} };
        let _ = timeout(total, all).await; // who is late ends the connection
        drop(parts);
        drop(unwanted);
    });
}

/// How long a body may come that nobody wants.
pub(super) fn unwanted_time(settings: &ServiceSettings) -> Duration {
    settings.body_timeout + Duration::from_secs_f64(f64::from(settings.max_body) / RATE)
}

/// Reads a body of at most the settings' `max_body` bytes, and what a form adds to them.
///
/// # Errors
/// [`Failure::BodyTooLarge`] before anything is read where the length is announced,
/// [`Failure::SlowBody`], [`Failure::BrokenBody`], and [`Failure::Job`] when the memory budget is spent.
pub(crate) async fn read(
    door: &Door,
    call: &Call,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Failure> {
    let settings = &door.settings.door;
    let max = u64::from(settings.max_body) + FORM_BYTES;
    let too_large = || Failure::BodyTooLarge { max: settings.max_body.into() };
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.or(body.size_hint().exact()).is_some_and(|length| length > max) {
        return Err(too_large());
    }
    let mut memory = door.engine.open();
    let mut bytes = Vec::new();
    let started = Instant::now();
    let mut parts = body.into_data_stream();
    loop {
        // Who says how much will come has the time for it; who does not earns it byte by byte.
        let length = announced.unwrap_or(bytes.len() as u64);
        let total = settings.body_timeout + Duration::from_secs_f64(length as f64 / RATE);
        let deadline = (started + total).min(Instant::now() + settings.stall_timeout);
        let part = match timeout_at(deadline, parts.next()).await {
            Err(_) => return Err(Failure::SlowBody),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Failure::BrokenBody),
            Ok(Some(Ok(part))) => part,
        };
        let arrived = bytes.len() + part.len();
        if arrived as u64 > max {
            return Err(too_large());
        }
        memory.resize(arrived as u64).map_err(|BudgetSpent| door.engine.busy())?;
        if arrived > bytes.capacity() {
            let room =
                announced.map_or(2 * arrived, |length| arrived.max(length.min(2 * arrived as u64) as usize));
            bytes.reserve_exact(room - bytes.len());
        }
        bytes.extend_from_slice(&part);
    }
    call.has_arrived();
    door.engine.metrics().bytes_in.add(bytes.len() as u64);
    Ok(Received { bytes, memory })
}
