//! `Session`: requests that survive a closed connection, a restarted server and a busy one.

use crate::client::{Client, ClientError, ClientSettings};
use crate::spec::Spec;
use crate::wire::Reply;
use std::time::Duration;

/// A connection that is made when it is needed and made again when it is lost. Requests have no effect but
/// their answer, so each may be sent as often as it takes.
#[derive(Debug)]
pub struct Session {
    settings: ClientSettings,
    client: Option<Client>,
    /// Whether the open connection has answered before, so that its loss says nothing about the server.
    proven: bool,
}

/// What happens while a request is under way.
#[derive(Debug)]
pub enum Event<'a> {
    /// A connection to this server is being made.
    Connecting(&'a str),
    /// It is made.
    Connected,
    /// That many bytes of image have left.
    Sent(usize),
    /// The request failed with this and will be sent again after that pause.
    Retrying(&'a ClientError, Duration),
}

impl Session {
    /// A session that has not connected yet.
    pub fn new(settings: ClientSettings) -> Session {
        Session { settings, client: None, proven: false }
    }

    /// Sends `image` and waits for what `spec` makes of it, trying again as the settings say.
    ///
    /// # Errors
    /// The last [`ClientError`].
    pub fn request(
        &mut self,
        image: &[u8],
        spec: &Spec,
        mut tell: impl FnMut(Event<'_>),
    ) -> Result<Reply, ClientError> {
        let mut pauses = self.settings.retries.pauses();
        loop {
            let proven = self.proven;
            let error = match self.attempt(image, spec, &mut tell) {
                Ok(reply) => {
                    self.proven = true;
                    return Ok(reply);
                }
                Err(error) => error,
            };
            self.close();
            let Some(least) = error.retry_after() else { return Err(error) };
            // A server may close a connection on which nothing happened for a while.
            if proven && error.is_lost() {
                continue;
            }
            let Some(pause) = pauses.next() else { return Err(error) };
            tell(Event::Retrying(&error, pause.max(least)));
            std::thread::sleep(pause.max(least));
        }
    }

    /// Closes the connection; the next request makes another.
    pub fn close(&mut self) {
        self.client = None;
        self.proven = false;
    }

    fn attempt(
        &mut self,
        image: &[u8],
        spec: &Spec,
        tell: &mut impl FnMut(Event<'_>),
    ) -> Result<Reply, ClientError> {
        let client = match &mut self.client {
            Some(client) => client,
            none => {
                tell(Event::Connecting(&self.settings.server));
                let client = Client::connect_once(&self.settings)?;
                tell(Event::Connected);
                none.insert(client)
            }
        };
        client.send(image, &spec.canonical())?;
        tell(Event::Sent(image.len()));
        client.receive()
    }
}
