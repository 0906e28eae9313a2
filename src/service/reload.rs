//! `Reloadable`: a value read from files, which a running server can read again, such as a certificate.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

type Read<T, E> = Box<dyn Fn() -> Result<T, E> + Send + Sync>;

/// A value and the function that reads it. Users keep the current value for as long as they need it.
pub struct Reloadable<T, E> {
    current: RwLock<Arc<T>>,
    read: Read<T, E>,
}

impl<T, E> Reloadable<T, E> {
    /// Reads the value for the first time.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn new(read: impl Fn() -> Result<T, E> + Send + Sync + 'static) -> Result<Self, E> {
        let current = RwLock::new(Arc::new(read()?));
        Ok(Reloadable { current, read: Box::new(read) })
    }

    /// The value as it was last read.
    pub fn current(&self) -> Arc<T> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the value again.
    ///
    /// # Errors
    /// Those of `read`; the value stays as it was.
    pub fn reload(&self) -> Result<(), E> {
        let fresh = Arc::new((self.read)()?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

impl<T: fmt::Debug, E> fmt::Debug for Reloadable<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reloadable").field(&self.current()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI32, Ordering};

    #[test]
    fn a_failed_reload_keeps_the_value() {
        let source = Arc::new(AtomicI32::new(1));
        let reads = source.clone();
        let read =
            move || Ok(reads.load(Ordering::Relaxed)).and_then(|n| if n < 0 { Err("broken") } else { Ok(n) });
        let value = Reloadable::new(read).unwrap();
        source.store(-1, Ordering::Relaxed);
        assert_eq!((value.reload(), *value.current()), (Err("broken"), 1));
        source.store(2, Ordering::Relaxed);
        assert_eq!((value.reload(), *value.current()), (Ok(()), 2));
    }
}
