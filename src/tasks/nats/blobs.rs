//! `Blobs`: images in the blob streams, cut into messages of at most [`MAX_CHUNK`] bytes.
//!
//! Not NATS' Object Store: it awaits the acknowledgement of each 128 KiB, which takes three times as long.

use crate::tasks::TaskId;
use crate::tasks::nats::entry::Blob;
use crate::tasks::nats::retry::{Fault, Retry};
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Info, Stream};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

/// Most bytes of one message.
const MAX_CHUNK: usize = 1 << 20;

/// Bytes of a message that its headers may take.
const HEADERS: usize = 1 << 10;

/// Chunks that are read at the same time.
const READ_AHEAD: usize = 8;

/// An image of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Image {
    /// Its source.
    Source,
    /// The result of the attempt that began at this KV revision. Each attempt writes under a name of its own, so that a
    /// late one harms no other.
    Result(u64),
}

/// An image that is not there as it was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum BlobError {
    /// The cluster does not answer.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Neither a replica nor the leader has it whole.
    #[error("the image is missing or damaged in the task store")]
    Lost,
}

/// The blob streams, one for each shard.
#[derive(Debug)]
pub(super) struct Blobs {
    context: Context,
    prefix: String,
    shards: Vec<Stream<Info>>,
    chunk: usize,
}

impl Blobs {
    pub(super) fn new(context: Context, prefix: &str, shards: Vec<Stream<Info>>) -> Blobs {
        let max_payload = context.client().server_info().max_payload;
        let chunk = max_payload.saturating_sub(HEADERS).clamp(HEADERS, MAX_CHUNK);
        Blobs { context, prefix: prefix.to_owned(), shards, chunk }
    }

    /// The streams of all shards.
    pub(super) fn shards(&self) -> &[Stream<Info>] {
        &self.shards
    }

    /// The task of a subject of a blob stream.
    pub(super) fn task_of(&self, subject: &str) -> Option<TaskId> {
        subject.strip_prefix(&self.prefix)?.strip_prefix(".blob.")?.split('.').nth(1)?.parse().ok()
    }

    /// Writes an image. All its chunks are stored by a majority when this returns.
    ///
    /// # Errors
    /// [`Fault`]; what was written of it is removed then, as far as the cluster can be reached.
    pub(super) async fn put(&self, id: TaskId, image: Image, bytes: &[u8]) -> Result<Blob, Fault> {
        let written = self.write(id, image, bytes).await;
        if written.is_err() {
            let _ = self.remove_image(id, image).await; // the sweep finds it otherwise
        }
        written
    }

    async fn write(&self, id: TaskId, image: Image, bytes: &[u8]) -> Result<Blob, Fault> {
        let chunks: Vec<&[u8]> = bytes.chunks(self.chunk).collect();
        Retry::new()
            .run(async || {
                // All are sent before the first acknowledgement is awaited. To send one again is harmless: a subject
                // keeps its last message.
                let mut acks = Vec::with_capacity(chunks.len());
                for (n, chunk) in chunks.iter().enumerate() {
                    let subject = self.subject(id, image, n);
                    acks.push(self.context.publish(subject, Bytes::copy_from_slice(chunk)).await?);
                }
                for ack in acks {
                    ack.await?;
                }
                Ok(())
            })
            .await?;
        Ok(Blob { chunks: chunks.len(), bytes: bytes.len() as u64, crc: crc32fast::hash(bytes) })
    }

    /// Reads an image: from any replica, and once more from the leader where that one is behind or damaged.
    ///
    /// # Errors
    /// [`BlobError`].
    pub(super) async fn get(&self, id: TaskId, image: Image, blob: Blob) -> Result<Vec<u8>, BlobError> {
        let near = stream::iter(0..blob.chunks)
            .map(|n| self.stream(id).direct_get_last_for_subject(self.subject(id, image, n)))
            .buffered(READ_AHEAD)
            .try_fold(Vec::new(), async |mut bytes, message| {
                bytes.extend_from_slice(&message.payload);
                Ok(bytes)
            });
        if let Ok(bytes) = near.await
            && blob.is_of(&bytes)
        {
            return Ok(bytes);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(blob.bytes).unwrap_or_default());
        for n in 0..blob.chunks {
            let subject = self.subject(id, image, n);
            let chunk = Retry::new()
                .run(async || match self.stream(id).get_last_raw_message_by_subject(&subject).await {
                    Ok(message) => Ok(Some(message.payload)),
                    Err(error) if Fault::is_missing(&error) => Ok(None),
                    Err(error) => Err(Fault::away(error)),
                })
                .await?;
            bytes.extend_from_slice(&chunk.ok_or(BlobError::Lost)?);
        }
        if blob.is_of(&bytes) { Ok(bytes) } else { Err(BlobError::Lost) }
    }

    /// Removes one image of a task.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) async fn remove_image(&self, id: TaskId, image: Image) -> Result<(), Fault> {
        self.purge(id, format!("{}.{}.>", self.of_task(id), image.word())).await
    }

    /// Removes all images of a task.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) async fn remove_all(&self, id: TaskId) -> Result<(), Fault> {
        self.purge(id, format!("{}.>", self.of_task(id))).await
    }

    async fn purge(&self, id: TaskId, filter: String) -> Result<(), Fault> {
        let purge = async || self.stream(id).purge().filter(filter.clone()).await.map_err(Fault::away);
        Retry::new().run(purge).await.map(|_| ())
    }

    fn stream(&self, id: TaskId) -> &Stream<Info> {
        &self.shards[id.shard(self.shards.len())]
    }

    fn of_task(&self, id: TaskId) -> String {
        format!("{}.blob.{}.{id}", self.prefix, id.shard(self.shards.len()))
    }

    fn subject(&self, id: TaskId, image: Image, n: usize) -> String {
        format!("{}.{}.{n}", self.of_task(id), image.word())
    }
}

impl Blob {
    fn is_of(self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes && crc32fast::hash(bytes) == self.crc
    }
}

impl Image {
    /// The image of a subject `PREFIX.blob.SHARD.ID.IMAGE.CHUNK`.
    pub(super) fn of_subject(subject: &str) -> Option<Image> {
        match subject.rsplit('.').nth(1)? {
            "s" => Some(Image::Source),
            word => Some(Image::Result(word.strip_prefix('r')?.parse().ok()?)),
        }
    }

    fn word(self) -> String {
        match self {
            Image::Source => "s".to_owned(),
            Image::Result(attempt) => format!("r{attempt}"),
        }
    }
}
