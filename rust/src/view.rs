//! A view of the zone as it is published and read: one generation after the other, each swapped in as a whole.
//!
//! ```text
//! stage ──► draft ──► publish ──► current ◄── packet threads
//!                                    └──────► retired: freed when its last reader is gone
//! ```
//!
//! Rules:
//! 1. Readers never wait, and see all of an update or nothing. What is staged is seen with the next publish.
//! 2. A large update is staged in parts, so that none of them takes long; the publish itself then costs as little as a small one.
//! 3. No generation is ever freed on a packet thread: the publisher keeps each one until no reader has it any more. One that differs
//!    in much from its successor takes long to free, so that a thread of its own does it.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};

use crate::zone::{Defect, Services, Snapshot, Update};

/// Services that change in one publish, above which what they replace is freed by a thread of its own: some 0.1 ms of work.
const MANY: usize = 512;
/// How long that thread waits before it looks again whether somebody still reads; a packet thread reads for some 0.1 ms.
const PATIENCE: Duration = Duration::from_millis(1);

/// One view.
#[derive(Debug, Default)]
pub struct View {
    current: ArcSwapOption<Snapshot>,
    /// Whoever holds the lock publishes.
    publisher: Mutex<Publisher>,
}

#[derive(Debug, Default)]
struct Publisher {
    /// The next generation, as far as it is staged.
    draft: Option<Snapshot>,
    /// How many services were staged in it.
    staged: usize,
    /// Generations that were replaced while somebody read them.
    retired: Vec<Arc<Snapshot>>,
}

impl View {
    /// Prepare a part of the next update: its publish brings these services as well, those of a later part in place of an earlier's.
    ///
    /// # Errors
    /// Something in it cannot stand in a zone, or nothing was published yet. All that was staged is forgotten.
    pub fn stage<B: AsRef<[u8]>>(&self, services: &Services<B>) -> Result<(), Defect> {
        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draft = publisher.draft.take().or_else(|| self.copy()).ok_or(Defect::Early)?;
        draft.replace(services).inspect_err(|_| publisher.staged = 0)?;
        publisher.draft = Some(draft);
        publisher.staged += services.len();
        Ok(())
    }

    /// Take over an update, and what was staged for it: readers see all of it or, before the call, nothing.
    ///
    /// # Errors
    /// Something in it cannot stand in a zone; nothing was taken over, and all that was staged is forgotten.
    pub fn publish<B: AsRef<[u8]>>(&self, update: &Update<B>) -> Result<(), Defect> {
        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = mem::take(&mut publisher.staged) + update.services.len();
        let next = match publisher.draft.take().or_else(|| self.copy()) {
            Some(mut draft) => draft.change(update).map(|()| draft)?,
            None => Snapshot::first(update)?,
        };
        let old = self.current.swap(Some(Arc::new(next)));
        // One that only stands here has no reader, and none can come.
        publisher.retired.retain(|old| Arc::strong_count(old) > 1);
        match old {
            // Without a thread for it, it waits here.
            Some(old) if changed > MANY && free_apart(old.clone()) => {}
            Some(old) if Arc::strong_count(&old) > 1 => publisher.retired.push(old),
            _ => {}
        }
        Ok(())
    }

    /// The current generation, for as long as the guard is held; None before the first publish.
    pub fn load(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.current.load()
    }

    /// A draft of the generation after the current one: it shares all with it until something is changed.
    fn copy(&self) -> Option<Snapshot> {
        self.current.load().as_deref().cloned()
    }
}

/// Free a generation on a thread of its own, when nobody reads it any more; false where the system has no thread for it.
fn free_apart(old: Arc<Snapshot>) -> bool {
    let run = move || {
        while Arc::strong_count(&old) > 1 {
            thread::sleep(PATIENCE);
        }
    };
    thread::Builder::new().name("mcsdns-free".into()).spawn(run).is_ok()
}
