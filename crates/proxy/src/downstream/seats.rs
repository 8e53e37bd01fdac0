//! How many client connections may be served at a time, over all cores. More wait until others end: in the system's queue, and
//! as many as there are listeners unread in hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::cores::plane::Plane;

/// Between two looks for a free seat.
const LOOK: Duration = Duration::from_millis(20);

/// The count and its limit; without a limit nothing is counted.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    most: Option<usize>,
    taken: AtomicUsize,
}

/// One connection's place, free again when dropped.
pub(crate) struct Seat(Option<Arc<Plane>>);

impl Seats {
    /// `most` of zero or less is no limit.
    pub(crate) fn new(most: i64) -> Self {
        Self {
            most: usize::try_from(most).ok().filter(|most| *most > 0),
            taken: AtomicUsize::new(0),
        }
    }

    fn take(&self, most: usize) -> bool {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        if taken >= most {
            self.taken.fetch_sub(1, Ordering::Relaxed);
        }
        taken < most
    }
}

impl Seat {
    /// Waits until there is a place, and takes none.
    pub(crate) async fn free(plane: &Plane) {
        let Some(most) = plane.seats.most else {
            return;
        };
        while plane.seats.taken.load(Ordering::Relaxed) >= most {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A place for a connection, as soon as there is one.
    pub(crate) async fn take(plane: &Arc<Plane>) -> Self {
        let Some(most) = plane.seats.most else {
            return Self(None);
        };
        while !plane.seats.take(most) {
            tokio::time::sleep(LOOK).await;
        }
        Self(Some(Arc::clone(plane)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(plane) = &self.0 {
            plane.seats.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_and_no_more() {
        let seats = Seats::new(2);
        assert!(seats.take(2) && seats.take(2));
        assert!(!seats.take(2) && !seats.take(2));
        seats.taken.fetch_sub(1, Ordering::Relaxed);
        assert!(seats.take(2));
        assert!(Seats::new(0).most.is_none() && Seats::new(-1).most.is_none());
    }
}
