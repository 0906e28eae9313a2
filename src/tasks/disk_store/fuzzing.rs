//! What must hold of the store's files.

use crate::tasks::disk_store::index::Index;
use crate::tasks::disk_store::record::{self, Damage};
use crate::tasks::head::Head;
use crate::tasks::{Limits, TaskId};

/// The length of a head, a head and an image: in a file whose checksums are right it reads back as itself,
/// and has a place in the index. As a file, all of it is one or is damaged.
pub fn task_file(bytes: &[u8]) {
    let _ = record::image(bytes.to_vec());
    let Some((head_len, rest)) = bytes.split_first_chunk() else { return };
    let Some((text, image)) = rest.split_at_checked(u16::from_be_bytes(*head_len).into()) else { return };
    let file = [&record::seal(text, image), image].concat();
    let head = match record::decode(&file, file.len() as u64) {
        Ok((head, image_len)) => {
            assert_eq!(image_len, image.len() as u64);
            assert_eq!(record::image(file), Ok(image.to_vec()));
            head
        }
        Err(damage) => return assert_eq!(damage, Damage::Foreign),
    };
    let again = record::encode(&head, image);
    let (read, _) = record::decode(&again, (again.len() + image.len()) as u64).expect("what we wrote");
    assert_eq!(record::encode(&read, image), again);
    place(head, image.len() as u64);
}

fn place(head: Head, bytes: u64) {
    let (mut index, limits) = (Index::default(), Limits::default());
    let id = TaskId::random().expect("random numbers");
    let owner = head.owner.clone();
    index.take_in(id, head, bytes, 0, limits.ttl);
    assert_eq!(index.list(&owner, None, 9).map(|tasks| tasks.len()), Some(1));
    if let Some((id, attempts)) = index.next() {
        assert!(index.lease(id, attempts + 1).is_some());
    }
    let another = TaskId::random().expect("random numbers");
    assert!(index.reserve(another, &owner, 1, &limits).is_ok());
    assert!(index.remove(id).is_some());
}
