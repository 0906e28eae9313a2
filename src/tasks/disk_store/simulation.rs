//! A disk in memory that loses power: what was not synced may be gone, names and contents alike. It also
//! fills up and fails at random.

use crate::tasks::disk_store::disk::Disk;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// Random numbers that are the same at each run.
#[derive(Debug, Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

type Names = BTreeMap<PathBuf, u64>;

#[derive(Debug)]
struct World {
    names: Names,
    safe_names: Names,
    /// Changes of names that no sync has made safe yet, oldest first.
    pending: Vec<Change>,
    contents: BTreeMap<u64, (Vec<u8>, Safe)>,
    next: u64,
    dice: Dice,
    /// One operation in so many fails.
    fault_in: Option<u64>,
}

type Safe = bool;

#[derive(Debug, Clone)]
enum Change {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Change {
    fn folder(&self) -> Option<&Path> {
        match self {
            Change::Link(path, _) | Change::Unlink(path) | Change::Rename(_, path) => path.parent(),
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Change::Link(path, file) => drop(names.insert(path.clone(), *file)),
            Change::Unlink(path) => drop(names.remove(path)),
            Change::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Simulation(Arc<Mutex<World>>);

impl Simulation {
    pub(super) fn new(seed: u64) -> Simulation {
        Simulation(Arc::new(Mutex::new(World {
            names: Names::new(),
            safe_names: Names::new(),
            pending: Vec::new(),
            contents: BTreeMap::new(),
            next: 0,
            dice: Dice(seed),
            fault_in: None,
        })))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(super) fn fail_one_in(&self, operations: Option<u64>) {
        self.world().fault_in = operations;
    }

    /// Power is lost, and comes back: changes of names are there up to some point in time, contents that
    /// were not synced are cut somewhere.
    pub(super) fn lose_power(&self) {
        let world = &mut *self.world();
        let reached = world.dice.roll(world.pending.len() as u64 + 1) as usize;
        world.pending.drain(..reached).for_each(|change| change.apply(&mut world.safe_names));
        world.pending.clear();
        world.names = world.safe_names.clone();
        for (bytes, safe) in world.contents.values_mut() {
            if !*safe {
                let len = world.dice.roll(bytes.len() as u64 + 1) as usize;
                bytes.truncate(len);
                *safe = true;
            }
        }
    }

    /// Every file with its contents.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let world = self.world();
        world.names.iter().map(|(path, file)| (path.clone(), world.contents[file].0.clone())).collect()
    }

    /// Puts a file there, safely.
    pub(super) fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut world = self.world();
        let file = world.next;
        world.next += 1;
        world.contents.insert(file, (bytes, true));
        world.names.insert(path.to_owned(), file);
        world.safe_names.insert(path.to_owned(), file);
    }
}

impl World {
    fn may_fail(&mut self) -> io::Result<()> {
        match self.fault_in {
            Some(operations) if self.dice.roll(operations) == 0 => Err(match self.dice.roll(2) {
                0 => io::ErrorKind::StorageFull.into(),
                _ => io::Error::other("the disk failed"),
            }),
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }
}

impl Disk for Simulation {
    fn create(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let mut world = self.world();
        world.may_fail()?;
        let file = world.next;
        world.next += 1;
        let bytes = parts.concat();
        world.contents.insert(file, (bytes[..bytes.len() / 2].to_vec(), false));
        world.change(Change::Link(path.to_owned(), file));
        world.may_fail()?;
        world.contents.insert(file, (bytes.clone(), false));
        world.may_fail()?;
        world.contents.insert(file, (bytes, true));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.may_fail()?;
        if !world.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        if !world.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change(Change::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.may_fail()?;
        let (synced, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut world.pending).into_iter().partition(|change| change.folder() == Some(path));
        synced.iter().for_each(|change| change.apply(&mut world.safe_names));
        world.pending = left;
        Ok(())
    }

    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let world = self.world();
        let within = world.names.keys().filter(|name| name.parent() == Some(path));
        Ok(within.map(|name| name.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn is_file(&self, _: &Path) -> io::Result<bool> {
        Ok(true) // folders are implied, and nothing else is made
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let world = self.world();
        let file = world.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(world.contents[file].0.clone())
    }

    fn head(&self, path: &Path, most: u64) -> io::Result<(Vec<u8>, u64)> {
        let bytes = self.read(path)?;
        let len = bytes.len() as u64;
        Ok((bytes[..len.min(most) as usize].to_vec(), len))
    }
}
