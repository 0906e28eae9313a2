//! `Session`: requests with retries, across a closed connection, a restarted server and a busy one.

use crate::client::{Client, ClientError, ClientSettings};
use crate::spec::Spec;
use crate::wire::Reply;
use std::time::Duration;

/// A connection that is opened on demand and opened again after a loss. Requests have no effect but their answer, so
/// each may be sent several times.
#[derive(Debug)]
pub struct Session {
    settings: ClientSettings,
    client: Option<Client>,
    /// True once the open connection has answered: its loss then says nothing about the server.
    proven: bool,
}

/// Progress of a request in flight.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection to this server is being opened.
    Connecting(&'a str),
    /// The connection is open.
    Connected,
    /// So many bytes of image were sent.
    Sent(usize),
    /// The request failed with this error and is sent again after the pause.
    Retrying(&'a ClientError, Duration),
}

impl Session {
    /// A session without a connection yet.
    pub fn new(settings: ClientSettings) -> Session {
        Session { settings, client: None, proven: false }
    }

    /// Sends `image` and returns the result that `spec` describes, with the retries of the settings.
    ///
    /// # Errors
    /// The last [`ClientError`].
    pub fn request(
        &mut self,
        image: &[u8],
        spec: &Spec,
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<Reply, ClientError> {
        let mut pauses = self.settings.retries.pauses();
        loop {
            let proven = self.proven;
            let error = match self.attempt(image, spec, &mut on_event) {
                Ok(reply) => {
                    self.proven = true;
                    return Ok(reply);
                }
                Err(error) => error,
            };
            self.close();
            let Some(least) = error.retry_after() else { return Err(error) };
            // A server may close an idle connection.
            if proven && error.is_lost() {
                continue;
            }
            let Some(pause) = pauses.next() else { return Err(error) };
            on_event(Event::Retrying(&error, pause.max(least)));
            std::thread::sleep(pause.max(least));
        }
    }

    /// Closes the connection; the next request opens another.
    pub fn close(&mut self) {
        self.client = None;
        self.proven = false;
    }

    fn attempt(
        &mut self,
        image: &[u8],
        spec: &Spec,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> Result<Reply, ClientError> {
        let client = match &mut self.client {
            Some(client) => client,
            none => {
                on_event(Event::Connecting(&self.settings.server));
                let client = Client::connect_once(&self.settings)?;
                on_event(Event::Connected);
                none.insert(client)
            }
        };
        client.send(image, &spec.canonical())?;
        on_event(Event::Sent(image.len()));
        client.receive()
    }
}
