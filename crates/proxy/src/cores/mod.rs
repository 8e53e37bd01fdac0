//! One thread a core: its runtime, what its requests touch, and what all cores share with the control thread (`plane`).

pub(crate) mod clock;
pub(crate) mod core_state;
pub(crate) mod core_thread;
pub(crate) mod plane;
pub(crate) mod slots;
